/* See chain.h. */
#include "chain.h"

#include "barrier.h"

static uint64_t link_address(const struct scene *scene, const struct link *link)
{
	return scene_place(scene, link->at) + link->offset;
}

static void write_table(const struct scene *scene, const struct chain_case *chain)
{
	for (uint16_t i = 0; i < chain->table_count; i++) {
		const struct link *link = &chain->table[i];
		uint64_t address = link_address(scene, link);

		if (scene->packed)
			*(struct vring_packed *)(uintptr_t)&stage.table[i] = (struct vring_packed){
				address, link->length, 0, (uint16_t)(link->flags & ~DESC_NEXT)};
		else
			stage.table[i] = (struct vring_descriptor){
				address, link->length, link->flags, link->next};
	}
}

static void send_split(struct scene *scene, const struct chain_case *chain)
{
	volatile struct vring_descriptor *descriptors = vring_descriptors(&scene->ring);

	for (uint16_t i = 0; i < chain->count; i++) {
		const struct link *link = &chain->links[i];

		descriptors[i].address = link_address(scene, link);
		descriptors[i].length = link->length;
		descriptors[i].flags = link->flags;
		descriptors[i].next = link->next;
	}
	vring_publish(&scene->ring, 0);
}

static void send_packed(struct scene *scene, const struct chain_case *chain)
{
	struct vring_packed descriptors[CHAIN_MAX];

	for (uint16_t i = 0; i < chain->count; i++) {
		const struct link *link = &chain->links[i];

		descriptors[i] = (struct vring_packed){
			link_address(scene, link), link->length, 0, link->flags};
	}
	vring_publish_packed(&scene->ring, descriptors, chain->count);
}

void chain_run(struct scene *scene, const struct hostile_case *self)
{
	const struct chain_case *chain = self->data;

	scene->features = chain->features;
	if (!scene_up(scene))
		return;
	scene_fill();
	write_table(scene, chain);
	if (scene->packed)
		send_packed(scene, chain);
	else
		send_split(scene, chain);
	virtio_notify(scene->device, 0);
	(void)scene_expect(scene, chain->expect);
}

/*
 * A guest that breaks every rule of virtio that it can, one at a time: after each case the device
 * is reset and must work again, and so must all others. README.md beside this folder has the words.
 */
#include "board.h"
#include "cases.h"
#include "console.h"
#include "devices.h"
#include "mmio.h"
#include "words.h"

#define BYSTANDERS_MAX 16
#define BYSTANDER_RING 16
#define ENTROPY_BYTES  16
#define ONLY_MAX       512
#define DETAIL_BYTES   400

const char check_guest_name[] = "hostile";

_Noreturn void guest_main(uint32_t entry, uint64_t information);

static const struct hostile_group *const groups[] = {
	&chain_group,
	&indirect_group,
	&ring_group,
	&queue_group,
	&status_group,
	&register_group,
	&request_group,
	&layout_group,
	&flight_group,
	&line_group,
	&msix_group,
	&pci_group,
	&net_group,
	&socket_group,
	&share_group,
	&share_flow_group,
	&other_group,
	&board_group,
};

static struct bystander bystanders[BYSTANDERS_MAX];
static unsigned int bystander_count;
static uint8_t *bystander_data;
static struct blk_slot bystander_slot;

struct totals {
	unsigned int passed, failed, skipped;
};

bool bystander_up(struct bystander *bystander)
{
	struct virtio *device = bystander->device;
	uint16_t queue = device->device_id == VIRTIO_CONSOLE ? 1 : 0;

	if (!virtio_negotiate(device, 0) || virtio_queue_size_max(device, queue) < BYSTANDER_RING)
		return false;
	vring_place(&bystander->ring, bystander->ring.areas[AREA_DESCRIPTOR], queue, BYSTANDER_RING,
		false, false);
	vring_configure(&bystander->ring, device);
	device->transport->enable(device, 1);
	virtio_driver_ok(device);
	return true;
}

void bystander_check(struct bystander *bystander, struct report *report)
{
	const struct virtio *device = bystander->device;
	const struct vring_buffer buffer = {
		(uintptr_t)bystander_data, ENTROPY_BYTES, device->device_id == VIRTIO_ENTROPY};
	uint64_t start = board_clock();
	uint32_t length;
	uint16_t id;

	if (device->device_id == VIRTIO_BLOCK) {
		report_expect(report,
			blk_request(device, &bystander->ring, &bystander_slot, BLK_IN, 0,
				(uintptr_t)bystander_data, BLK_SECTOR_BYTES) == BLK_OK,
			"another disk does not work");
		return;
	}
	if (device->device_id != VIRTIO_ENTROPY)
		return; /* a console would print */
	bystander->ring.stride = 1;
	vring_add(&bystander->ring, 0, &buffer, 1);
	virtio_notify(device, bystander->ring.queue);
	while (!vring_take_used(&bystander->ring, &id, &length)) {
		if (virtio_is_late(start)) {
			report_expect(report, false, "entropy does not work");
			return;
		}
	}
}

struct bystander *bystander_find(uint32_t device_id, bool read_only)
{
	for (unsigned int i = 0; i < bystander_count; i++) {
		if (bystanders[i].device->device_id == device_id &&
			bystanders[i].read_only == read_only)
			return &bystanders[i];
	}
	return NULL;
}

static void add_bystander(struct virtio *device)
{
	struct bystander *bystander = &bystanders[bystander_count];
	void *memory = board_take(VRING_BYTES, 4096);

	if (!memory || bystander_count == BYSTANDERS_MAX)
		return;
	bystander->device = device;
	bystander->read_only = device->device_id == VIRTIO_BLOCK &&
	                       (virtio_offered(device) & BLK_F_RO);
	bystander->ring.areas[AREA_DESCRIPTOR] = (uintptr_t)memory;
	if (bystander_up(bystander))
		bystander_count++;
	else
		console_print("hostile: device %u does not come up\n", device->device_id);
}

/* What the case needs and the machine has not, or NULL. */
static const char *missing_device(uint32_t needs, const struct virtio *device)
{
	if ((needs & NEED_PCI) && !virtio_is_pci(device))
		return "pci";
	if ((needs & NEED_MMIO) && virtio_is_pci(device))
		return "mmio";
	if ((needs & NEED_MSIX) && !device->msix_entries)
		return "msix";
	if ((needs & NEED_WINDOW) && !device->window_capability)
		return "window";
	if ((needs & NEED_ENTROPY) && !bystander_find(VIRTIO_ENTROPY, false))
		return "entropy";
	if ((needs & NEED_CONSOLE) && !bystander_find(VIRTIO_CONSOLE, false))
		return "console";
	if ((needs & NEED_NET) && !bystander_find(VIRTIO_NETWORK, false))
		return "network";
	if ((needs & NEED_SOCKET) && !bystander_find(VIRTIO_SOCKET, false))
		return "socket";
	if ((needs & NEED_SHARE) && !bystander_find(VIRTIO_FILE_SYSTEM, false))
		return "share";
	if ((needs & NEED_READ_ONLY) && !bystander_find(VIRTIO_BLOCK, true))
		return "read-only-disk";
	return NULL;
}

static const char *missing_feature(uint32_t needs, const struct virtio *device, bool packed)
{
	static const struct {
		uint32_t need;
		uint64_t feature;
		const char *name;
	} features[] = {
		{NEED_INDIRECT, FEATURE_INDIRECT, "indirect"},
		{NEED_EVENT_INDEX, FEATURE_EVENT_INDEX, "event-index"},
		{NEED_DISCARD, BLK_F_DISCARD, "discard"},
		{NEED_WRITE_ZEROES, BLK_F_WRITE_ZEROES, "write-zeroes"},
		{NEED_FLUSH, BLK_F_FLUSH, "flush"},
		{NEED_QUEUE_RESET, FEATURE_RING_RESET, "queue-reset"},
	};
	uint64_t offered = virtio_offered(device);

	if (packed && !(offered & FEATURE_PACKED))
		return "packed";
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		if ((needs & features[i].need) && !(offered & features[i].feature))
			return features[i].name;
	}
	return NULL;
}

static void run_case(const struct hostile_case *hostile_case, struct virtio *device, bool packed,
	struct totals *totals)
{
	const char *missing = missing_device(hostile_case->needs, device);
	const char *format = !(hostile_case->needs & NEED_BOTH) ? ""
	                     : packed                           ? "/packed"
	                                                        : "/split";
	char detail[DETAIL_BYTES] = "";
	struct report report = {false, {detail, sizeof(detail), 0}};
	struct scene scene = {.report = &report,
		.device = device,
		.transport = device->transport,
		.packed = packed};

	if (!missing && (hostile_case->needs & NEED_BOARD_PART))
		missing = board_part_missing(hostile_case);
	if (!missing)
		missing = missing_feature(hostile_case->needs, device, packed);
	if (missing) {
		totals->skipped++;
		console_print("hostile: %s%s/%s skipped: no %s\n", device->transport->name, format,
			hostile_case->name, missing);
		return;
	}
	if (report_expect(&report, virtio_reset(device), "no reset before the case"))
		hostile_case->run(&scene, hostile_case);
	scene_heal(&scene);
	for (unsigned int i = 0; i < bystander_count; i++)
		bystander_check(&bystanders[i], &report);
	if (report.failed)
		totals->failed++;
	else
		totals->passed++;
	console_print("hostile: %s%s/%s %s%s\n", device->transport->name, format,
		hostile_case->name, report.failed ? "FAIL" : "ok", detail);
}

/* "a,b*": whole names, or the beginnings of some. */
static bool is_wanted(const char *name, const char *only)
{
	while (*only) {
		const char *letter = name;

		while (*only && *only != ',' && *only != '*' && *only == *letter) {
			only++;
			letter++;
		}
		if (*only == '*' || ((!*only || *only == ',') && !*letter))
			return true;
		while (*only && *only != ',')
			only++;
		only += *only == ',';
	}
	return false;
}

static void run_group(const struct hostile_group *group, struct virtio *device, const char *only,
	bool with_packed, struct totals *totals)
{
	for (size_t i = 0; i < group->count; i++) {
		const struct hostile_case *hostile_case = &group->cases[i];
		uint32_t needs = hostile_case->needs;

		if (only && !is_wanted(hostile_case->name, only))
			continue;
		if ((needs & NEED_SPLIT) || !(needs & NEED_PACKED))
			run_case(hostile_case, device, false, totals);
		if ((needs & NEED_PACKED) && with_packed)
			run_case(hostile_case, device, true, totals);
	}
}

static struct virtio *choose(const char *line)
{
	unsigned int count = devices_find(line);
	struct virtio *target = NULL;

	for (unsigned int i = 0; i < count; i++) {
		struct virtio *device = devices_get(i);

		report_fact("device", "%s %u", device->transport->name, device->device_id);
		if (!target && device->device_id == VIRTIO_BLOCK &&
			!(virtio_offered(device) & BLK_F_RO))
			target = device;
		else
			add_bystander(device);
	}
	return target;
}

_Noreturn void guest_main(uint32_t entry, uint64_t information)
{
	const char *line = board_start(entry, information);
	struct totals totals = {0, 0, 0};
	struct virtio *target;
	char only[ONLY_MAX];
	bool chosen = words_value(line, "hostile.only", only, sizeof(only));

	virtio_set_patience(words_number(line, "patience", 10));
	bystander_data = board_take(4096, 4096);
	target = bystander_data ? choose(line) : NULL;
	if (!target || !stage_init(target)) {
		console_print("hostile: no writable virtio disk that works\n");
		board_end(false);
	}
	report_fact("bystanders", "%u", bystander_count);
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		run_group(groups[i], target, chosen ? only : NULL, !words_has(line, "no-packed"),
			&totals);
	console_print("hostile: %u cases, %u passed, %u failed, %u skipped\n",
		totals.passed + totals.failed, totals.passed, totals.failed, totals.skipped);
	board_end(!totals.failed && totals.passed);
}

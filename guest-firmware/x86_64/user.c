/* See user.h. SDM 3A "Task Management", "Task State Segment in 64-bit Mode". */
#include "user.h"

#include "image.h"
#include "paging.h"
#include "trap.h"

#include <stdbool.h>
#include <stdint.h>

#define DESCRIPTORS        8
#define CODE64             UINT64_C(0x00af9b000000ffff)
#define CODE64_USER        UINT64_C(0x00affb000000ffff)
#define DATA               UINT64_C(0x00cf93000000ffff)
#define DATA_USER          UINT64_C(0x00cff3000000ffff)
#define TASK_AVAILABLE     UINT64_C(0x0000890000000000)
#define TASK_STACK_BYTES   4096
#define USER_STACK_BYTES   16384
#define NO_PORT_PERMISSION sizeof(struct task)

struct task {
	uint32_t reserved0;
	uint64_t stack0;
	uint64_t others[11];
	uint16_t reserved1;
	uint16_t port_map;
} __attribute__((packed));

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static struct task task;
static uint64_t descriptors[DESCRIPTORS];
static uint8_t task_stack[TASK_STACK_BYTES] __attribute__((aligned(16)));
static uint8_t user_stack[USER_STACK_BYTES] __attribute__((aligned(16)));

/* user_entry.S */
void user_enter(void (*function)(void *argument), void *argument, uint64_t stack);
extern const uint8_t user_leave[];

static void prepare(void)
{
	const struct table_pointer pointer = {sizeof(descriptors) - 1, (uintptr_t)descriptors};
	uint64_t base = (uintptr_t)&task;

	task.stack0 = (uintptr_t)task_stack + TASK_STACK_BYTES;
	task.port_map = NO_PORT_PERMISSION;
	descriptors[SELECTOR_CODE64 / 8] = CODE64;
	descriptors[SELECTOR_DATA / 8] = DATA;
	descriptors[SELECTOR_TASK / 8] = TASK_AVAILABLE | (sizeof(task) - 1) |
	                                 (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
	descriptors[SELECTOR_TASK / 8 + 1] = base >> 32;
	descriptors[SELECTOR_USER_DATA / 8] = DATA_USER;
	descriptors[SELECTOR_USER_CODE / 8] = CODE64_USER;
	__asm__ volatile("lgdt %0\n\tltr %w1"
			 :
			 : "m"(pointer), "r"(SELECTOR_TASK), "m"(descriptors), "m"(task)
			 : "memory");
	trap_set_gate(VECTOR_INVALID, (uintptr_t)user_leave);
	paging_allow_user();
}

void user_run(void (*function)(void *argument), void *argument)
{
	static bool prepared;

	if (!prepared)
		prepare();
	prepared = true;
	user_enter(function, argument, (uintptr_t)user_stack + USER_STACK_BYTES);
}

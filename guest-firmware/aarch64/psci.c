/* See psci.h. */
#include "psci.h"

#include "tree.h"
#include "words.h"

const char *psci_method(void)
{
	uint32_t length;
	const char *method = tree_property("psci", "method", &length);

	if (method && string_equal(method, "hvc"))
		return "hvc";
	return method && string_equal(method, "smc") ? "smc" : "";
}

/* SMC Calling Convention (Arm DEN 0028): x0 to x3 in and out, x4 to x17 may be lost. */
#define CALL(instruction)                                                                         \
	__asm__ volatile(instruction " #0"                                                        \
			 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)                                 \
			 :                                                                        \
			 : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", \
			 "x15", "x16", "x17", "memory")

int32_t psci_call(uint32_t function, uint64_t first, uint64_t second, uint64_t third)
{
	const bool by_hypervisor = string_equal(psci_method(), "hvc");
	const bool by_monitor = string_equal(psci_method(), "smc");
	register uint64_t x0 __asm__("x0") = function;
	register uint64_t x1 __asm__("x1") = first;
	register uint64_t x2 __asm__("x2") = second;
	register uint64_t x3 __asm__("x3") = third;

	if (by_hypervisor)
		CALL("hvc");
	else if (by_monitor)
		CALL("smc");
	else
		return PSCI_NOT_SUPPORTED;
	return (int32_t)x0;
}

/*
 * The other processors: started one after the other, then asleep until an interrupt comes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct smp_cpu {
	uint32_t madt_id;
	uint32_t apic_id;    /* as the processor's own APIC says */
	uint32_t cpuid_id;   /* CPUID leaf 0xb, else leaf 1 */
	uint64_t tsc_before; /* on the first processor, before the start-up IPI */
	uint64_t tsc_own;    /* on this one, when it ran */
	uint64_t tsc_after;  /* on the first processor, when it saw that */
	volatile bool online;
};

/* Starts every processor that the MADT enables, once; returns how many are online, this one
 * included, 0 without a MADT. Entry 0 of cpus is the calling processor. */
unsigned int smp_start(void);

const struct smp_cpu *smp_cpu(unsigned int index);
unsigned int smp_expected(void);

/* An interrupt from processor to processor, once around and back; returns how many have sent. */
unsigned int smp_ring(void);

/* The id in CPUID: leaf 0xb, whose 32 bits are the x2APIC id, else the 8 bits of leaf 1. */
uint32_t smp_cpuid_id(void);

/* A stand-in for libnvidia-ml.so.1: devices with known power. Steered by environment variables:
 * STUB_GPUS (count), STUB_WATTS (constant), STUB_RAMP (watts a second), STUB_LOST_AFTER_S, STUB_SLOW_MS (utilisation),
 * STUB_PID (process using 64 MiB on each device). With -DOLD it has the symbols of an old driver only. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <stdint.h>

enum { SUCCESS = 0, INVALID = 2, NOT_SUPPORTED = 3, INSUFFICIENT_SIZE = 7, LOST = 15 };
typedef int ret;
static double begin;

static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
static double number(const char *name, double otherwise) { const char *v = getenv(name); return v ? atof(v) : otherwise; }
static double age(void) { return now() - begin; }
static int lost(void) { return age() > number("STUB_LOST_AFTER_S", 1e9); }
static double watts(void) { return number("STUB_WATTS", 250) + number("STUB_RAMP", 0) * age(); }
static double joules(void) { double t = age(); return number("STUB_WATTS", 250) * t + number("STUB_RAMP", 0) * t * t / 2; }

ret nvmlInitWithFlags(unsigned f) { (void)f; begin = now(); return SUCCESS; }
ret nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(ret r) { return r == LOST ? "GPU is lost" : r == NOT_SUPPORTED ? "Not Supported" : "some error"; }
ret nvmlSystemGetDriverVersion(char *s, unsigned n) { strncpy(s, "stub 1.0", n); return SUCCESS; }
ret nvmlDeviceGetCount_v2(unsigned *n) { *n = (unsigned)number("STUB_GPUS", 1); return SUCCESS; }
ret nvmlDeviceGetHandleByIndex_v2(unsigned i, void **h) { *h = (void *)(uintptr_t)(i + 1); return SUCCESS; }
ret nvmlDeviceGetUUID(void *h, char *s, unsigned n) { (void)n; strcpy(s, "GPU-stub-0"); s[9] = (char)('0' + (uintptr_t)h - 1); return SUCCESS; }
ret nvmlDeviceGetName(void *h, char *s, unsigned n) { (void)h; strncpy(s, "Stub GPU", n); return SUCCESS; }
ret nvmlDeviceGetTotalEnergyConsumption(void *h, unsigned long long *mj) {
    (void)h; if (lost()) return LOST; *mj = (unsigned long long)(joules() * 1000); return SUCCESS; }
ret nvmlDeviceGetPowerUsage(void *h, unsigned *mw) { (void)h; if (lost()) return LOST; *mw = (unsigned)(watts() * 1000); return SUCCESS; }
ret nvmlDeviceGetUtilizationRates(void *h, unsigned *u) {
    double s = number("STUB_SLOW_MS", 0) / 1000; struct timespec t = {(time_t)s, (long)((s - (time_t)s) * 1e9)};
    (void)h; if (lost()) return LOST; nanosleep(&t, NULL); u[0] = 37; u[1] = 5; return SUCCESS; }
ret nvmlDeviceGetMemoryInfo(void *h, unsigned long long *m) {
    (void)h; if (lost()) return LOST; m[0] = 8ull << 30; m[1] = 7ull << 30; m[2] = 1ull << 30; return SUCCESS; }
ret nvmlDeviceGetTemperature(void *h, unsigned s, unsigned *c) { (void)h; (void)s; if (lost()) return LOST; *c = 41; return SUCCESS; }
ret nvmlDeviceGetClockInfo(void *h, unsigned k, unsigned *mhz) { (void)h; (void)k; if (lost()) return LOST; *mhz = 1410; return SUCCESS; }

#ifndef OLD
typedef struct { unsigned field, scope; int64_t stamp, latency; unsigned type; ret r; union { unsigned u; unsigned long long ull; double d; } v; } field_value;
size_t stub_field_value_size(void) { return sizeof(field_value); }
ret nvmlDeviceGetFieldValues(void *h, int n, field_value *f) {
    (void)h; if (lost()) return LOST;
    for (int i = 0; i < n; i++) {
        f[i].r = SUCCESS; f[i].type = 1;
        if (f[i].field == 186) f[i].v.u = (unsigned)(watts() * 1000);
        else if (f[i].field == 185) f[i].v.u = (unsigned)(watts() * 500);
        else f[i].r = NOT_SUPPORTED;
    }
    return SUCCESS; }
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } memory_v2;
size_t stub_memory_size(void) { return sizeof(memory_v2); }
ret nvmlDeviceGetMemoryInfo_v2(void *h, memory_v2 *m) {
    (void)h; if (lost()) return LOST; m->total = 8ull << 30; m->reserved = 100 << 20; m->used = 1ull << 30; return SUCCESS; }
typedef struct { unsigned version, sensor; int celsius; } temperature;
ret nvmlDeviceGetTemperatureV(void *h, temperature *t) { (void)h; if (lost()) return LOST; t->celsius = 42; return SUCCESS; }
typedef struct { unsigned pid; unsigned long long used; unsigned gi, ci; } process_info;
size_t stub_process_size(void) { return sizeof(process_info); }
ret nvmlDeviceGetComputeRunningProcesses_v3(void *h, unsigned *n, process_info *p) {
    unsigned pid = (unsigned)number("STUB_PID", 0);
    (void)h; if (lost()) return LOST;
    if (!pid) { *n = 0; return SUCCESS; }
    if (!p || *n < 2) { *n = 2; return INSUFFICIENT_SIZE; }
    *n = 2; memset(p, 0, 2 * sizeof *p);
    p[0].pid = pid; p[0].used = 64 << 20; p[1].pid = 4000000; p[1].used = 1 << 30; /* a host PID, not of this tree */
    return SUCCESS; }
#endif

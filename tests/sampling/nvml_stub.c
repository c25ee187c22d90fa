/* A stand-in for libnvidia-ml.so.1: devices with known power, steered by a script (path in STUB_SCRIPT; nvml_script.py
 * writes it), which is read again when it has changed. Build variants lack symbols as old drivers do:
 * NO_FIELDS, NO_MEMORY_V2, NO_TEMPERATURE_V, NO_EVENT_REASONS, NO_PROCESSES_V3; OLD is all of them.
 *
 * Script, one statement a line; times in seconds after `origin`:
 *   origin NS                          CLOCK_MONOTONIC of time 0
 *   gpus N
 *   gpu I uuid TEXT | power T MW (a corner of the piecewise linear power) | energy_period S | use PCT PCT
 *         | memory BYTES | reset T (the energy counter starts anew) | use_period S
 *         | mig J UUID BYTES | process PID BYTES PCT | understate N (the first N answers to "how many?" are 1)
 *         | error FUNCTION CODE FROM TO | delay FUNCTION MS FROM TO (MS < 0: for ever)
 * FUNCTION without "nvmlDeviceGet"; "field83" is the field of that number; "Init" is nvmlInitWithFlags,
 * "Shutdown" nvmlShutdown (both of gpu 0), "*" every question to the device. */
#define _GNU_SOURCE
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SUCCESS = 0, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, LOST = 15, UNKNOWN = 999 };
enum { GPUS = 8, POINTS = 32, PROCESSES = 128, MIGS = 7, RULES = 16 };
typedef int ret;
typedef unsigned long long u64;
typedef struct { char function[48]; double what, from, to; int is_delay; } rule;
typedef struct {
    char uuid[96], mig_uuid[MIGS][96];
    double t[POINTS], mw[POINTS], energy_period, use_period, reset;
    unsigned points, use, memory_use, processes, migs, rules, understate, pid[PROCESSES], sm[PROCESSES];
    u64 memory, mig_memory[MIGS], size[PROCESSES];
    int mig_index[MIGS];
    rule rule[RULES];
} device;
static device gpu[GPUS];
static unsigned gpus;
static double origin;
static unsigned answers[GPUS]; /* to "how many?", not forgotten when the script is read again */

static double clock_s(clockid_t id) { struct timespec t; clock_gettime(id, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
static double now(void) { return clock_s(CLOCK_MONOTONIC) - origin; }
static double ahead; /* of the system clock before the monotonic one, s */
static u64 system_us(double t) { return (u64)((ahead + origin + t) * 1e6); }
static void compare_clocks(void) {
    double least = 1e9;
    for (int i = 0; i < 10; i++) { /* whoever is held up between two readings errs: the closest readings count */
        double before = clock_s(CLOCK_MONOTONIC), system = clock_s(CLOCK_REALTIME), apart = clock_s(CLOCK_MONOTONIC) - before;
        if (apart < least) { least = apart; ahead = system - before - apart / 2; }
    }
}

static void statement(const char *line) {
    unsigned i; int n = 0; char key[32], f[48]; double a, b, c; u64 size; unsigned x, y;
    if (sscanf(line, "origin %llu", &size) == 1) { origin = size * 1e-9; return; }
    if (sscanf(line, "gpus %u", &gpus) == 1) return;
    if (sscanf(line, "gpu %u %31s %n", &i, key, &n) < 2 || i >= GPUS) return;
    device *d = &gpu[i]; const char *rest = line + n;
    if (!strcmp(key, "uuid")) sscanf(rest, "%95s", d->uuid);
    else if (!strcmp(key, "power") && d->points < POINTS) { sscanf(rest, "%lf %lf", &d->t[d->points], &d->mw[d->points]); d->points++; }
    else if (!strcmp(key, "energy_period")) sscanf(rest, "%lf", &d->energy_period);
    else if (!strcmp(key, "use_period")) sscanf(rest, "%lf", &d->use_period);
    else if (!strcmp(key, "use")) sscanf(rest, "%u %u", &d->use, &d->memory_use);
    else if (!strcmp(key, "memory")) sscanf(rest, "%llu", &d->memory);
    else if (!strcmp(key, "reset")) sscanf(rest, "%lf", &d->reset);
    else if (!strcmp(key, "understate")) sscanf(rest, "%u", &d->understate);
    else if (!strcmp(key, "mig") && d->migs < MIGS) { sscanf(rest, "%d %95s %llu", &d->mig_index[d->migs], d->mig_uuid[d->migs], &d->mig_memory[d->migs]); d->migs++; }
    else if (!strcmp(key, "process") && d->processes < PROCESSES && sscanf(rest, "%u %llu %u", &x, &size, &y) == 3) {
        d->pid[d->processes] = x; d->size[d->processes] = size; d->sm[d->processes++] = y; }
    else if ((!strcmp(key, "error") || !strcmp(key, "delay")) && d->rules < RULES && sscanf(rest, "%47s %lf %lf %lf", f, &a, &b, &c) == 4) {
        rule *r = &d->rule[d->rules++]; strcpy(r->function, f); r->what = a; r->from = b; r->to = c; r->is_delay = *key == 'd'; }
    else { fprintf(stderr, "nvml stub: cannot read: %s", line); abort(); }
}

static void read_script(void) {
    static struct timespec read_at; struct stat s; char line[256]; const char *path = getenv("STUB_SCRIPT");
    if (!path || stat(path, &s) || !memcmp(&s.st_mtim, &read_at, sizeof read_at)) return;
    FILE *file = fopen(path, "r");
    if (!file) return;
    read_at = s.st_mtim; compare_clocks(); memset(gpu, 0, sizeof gpu);
    for (int i = 0; i < GPUS; i++) { gpu[i].energy_period = 0.01; gpu[i].use_period = 0.1; gpu[i].reset = 1e18; }
    while (fgets(line, sizeof line, file)) if (*line != '\n') statement(line);
    fclose(file);
}

static device *at(void *h) { return &gpu[((uintptr_t)h & 255) - 1]; }
static int mig(void *h) { return (int)((uintptr_t)h >> 8) - 1; } /* -1: a whole device */

/* What the script says of this function now: waits, and returns the error code or 0. Every function begins with it. */
static ret enter(void *h, const char *function) {
    read_script();
    device *d = at(h); double t = now(); ret code = SUCCESS;
    const char *name = strncmp(function, "nvmlDeviceGet", 13) ? function : function + 13;
    for (unsigned i = 0; i < d->rules; i++) {
        rule *r = &d->rule[i];
        if ((strcmp(r->function, name) && (strcmp(r->function, "*") || name == function)) || t < r->from || t >= r->to) continue;
        if (!r->is_delay) code = (ret)r->what;
        else if (r->what < 0) for (;;) pause();
        else usleep((useconds_t)(r->what * 1000));
    }
    return code;
}
#define ENTER(h) do { ret code = enter(h, __func__); if (code) return code; } while (0)
#define WHOLE_ONLY(h) do { ENTER(h); if (mig(h) >= 0) return NOT_SUPPORTED; } while (0)

static double milliwatts(device *d, double t) {
    if (!d->points) return 0;
    if (t <= d->t[0]) return d->mw[0];
    for (unsigned i = 1; i < d->points; i++)
        if (t < d->t[i]) return d->mw[i - 1] + (d->mw[i] - d->mw[i - 1]) * (t - d->t[i - 1]) / (d->t[i] - d->t[i - 1]);
    return d->mw[d->points - 1];
}
static double millijoules(device *d, double t) { /* the exact integral from 0 to t */
    double sum = 0, from = 0;
    for (unsigned i = 0; i <= d->points; i++) {
        double to = i < d->points ? fmin(fmax(d->t[i], 0), t) : t;
        if (to > from) { sum += (milliwatts(d, from) + milliwatts(d, to)) / 2 * (to - from); from = to; }
    }
    return sum;
}
static u64 counter(device *d, double *updated) {
    double t = now(); *updated = floor(t / d->energy_period) * d->energy_period;
    double base = *updated >= d->reset ? millijoules(d, d->reset) : 0;
    return (u64)(millijoules(d, *updated) - base);
}

ret nvmlInitWithFlags(unsigned f) { (void)f; return enter((void *)1, "Init"); }
ret nvmlShutdown(void) { return enter((void *)1, "Shutdown"); }
const char *nvmlErrorString(ret r) {
    return r == LOST ? "GPU is lost" : r == NOT_SUPPORTED ? "Not Supported" : r == NOT_FOUND ? "Not Found" : "some error"; }
ret nvmlSystemGetDriverVersion(char *s, unsigned n) { strncpy(s, "stub 1.0", n); return SUCCESS; }
ret nvmlDeviceGetCount_v2(unsigned *n) { read_script(); *n = gpus; return SUCCESS; }
ret nvmlDeviceGetHandleByIndex_v2(unsigned i, void **h) { *h = (void *)(uintptr_t)(i + 1); return enter(*h, __func__); }
ret nvmlDeviceGetUUID(void *h, char *s, unsigned n) { ENTER(h); strncpy(s, mig(h) < 0 ? at(h)->uuid : at(h)->mig_uuid[mig(h)], n); return SUCCESS; }
ret nvmlDeviceGetName(void *h, char *s, unsigned n) { ENTER(h); strncpy(s, mig(h) < 0 ? "Stub GPU" : "Stub GPU MIG 1g", n); return SUCCESS; }
ret nvmlDeviceGetEnforcedPowerLimit(void *h, unsigned *mw) { WHOLE_ONLY(h); *mw = 400000; return SUCCESS; }
ret nvmlDeviceGetPersistenceMode(void *h, unsigned *on) { WHOLE_ONLY(h); *on = 1; return SUCCESS; }
ret nvmlDeviceGetEccMode(void *h, unsigned *current, unsigned *pending) { WHOLE_ONLY(h); *current = *pending = 1; return SUCCESS; }
ret nvmlDeviceGetComputeMode(void *h, unsigned *mode) { WHOLE_ONLY(h); *mode = 0; return SUCCESS; }
ret nvmlDeviceGetMigMode(void *h, unsigned *current, unsigned *pending) { WHOLE_ONLY(h); *current = *pending = at(h)->migs > 0; return SUCCESS; }
ret nvmlDeviceGetMaxMigDeviceCount(void *h, unsigned *n) { WHOLE_ONLY(h); *n = MIGS; return SUCCESS; }
ret nvmlDeviceGetMigDeviceHandleByIndex(void *h, unsigned index, void **out) {
    WHOLE_ONLY(h);
    for (unsigned j = 0; j < at(h)->migs; j++)
        if (at(h)->mig_index[j] == (int)index) { *out = (void *)((uintptr_t)h | (uintptr_t)(j + 1) << 8); return SUCCESS; }
    return NOT_FOUND; }
ret nvmlDeviceGetTotalEnergyConsumption(void *h, u64 *mj) { WHOLE_ONLY(h); double t; *mj = counter(at(h), &t); return SUCCESS; }
ret nvmlDeviceGetPowerUsage(void *h, unsigned *mw) { WHOLE_ONLY(h); *mw = (unsigned)milliwatts(at(h), now()); return SUCCESS; }
typedef struct { unsigned gpu, memory; } utilization;
ret nvmlDeviceGetUtilizationRates(void *h, utilization *u) {
    WHOLE_ONLY(h); if (at(h)->migs) return NOT_SUPPORTED; u->gpu = at(h)->use; u->memory = at(h)->memory_use; return SUCCESS; }
static u64 used(void *h) { return mig(h) < 0 ? at(h)->memory : at(h)->mig_memory[mig(h)]; }
typedef struct { u64 total, free, used; } memory_v1;
ret nvmlDeviceGetMemoryInfo(void *h, memory_v1 *m) { ENTER(h); m->total = 8ull << 30; m->used = used(h); m->free = m->total - m->used; return SUCCESS; }
ret nvmlDeviceGetTemperature(void *h, unsigned s, unsigned *c) { (void)s; WHOLE_ONLY(h); *c = 41; return SUCCESS; }
ret nvmlDeviceGetClockInfo(void *h, unsigned kind, unsigned *mhz) { WHOLE_ONLY(h); *mhz = kind == 2 ? 1215 : 1410; return SUCCESS; }
ret nvmlDeviceGetPerformanceState(void *h, unsigned *p) { WHOLE_ONLY(h); *p = 2; return SUCCESS; }
ret nvmlDeviceGetPcieThroughput(void *h, unsigned kind, unsigned *kb) { WHOLE_ONLY(h); *kb = kind ? 3000 : 1000; return SUCCESS; }
ret nvmlDeviceGetCurrentClocksThrottleReasons(void *h, u64 *bits) { WHOLE_ONLY(h); *bits = 8; return SUCCESS; }

typedef struct { unsigned pid; u64 used; unsigned gi, ci; } process_info;
static ret processes(void *h, unsigned *n, process_info *p) {
    device *d = at(h); unsigned room = *n;
    *n = d->processes;
    if (!d->processes) return SUCCESS;
    if (!p || room < d->processes) {
        if (!p && answers[d - gpu]++ < d->understate) *n = 1;
        return INSUFFICIENT_SIZE;
    }
    memset(p, 0, room * sizeof *p);
    for (unsigned i = 0; i < d->processes; i++) { p[i].pid = d->pid[i]; p[i].used = d->size[i]; }
    return SUCCESS; }
ret nvmlDeviceGetComputeRunningProcesses_v2(void *h, unsigned *n, process_info *p) { ENTER(h); return processes(h, n, p); }
typedef struct { unsigned pid; u64 stamp; unsigned sm, memory, enc, dec; } process_use;
ret nvmlDeviceGetProcessUtilization(void *h, process_use *p, unsigned *n, u64 seen_us) {
    WHOLE_ONLY(h);
    device *d = at(h); unsigned room = *n; u64 stamp = system_us(floor(now() / d->use_period) * d->use_period);
    if (!d->processes || stamp <= seen_us) return NOT_FOUND;
    *n = d->processes;
    if (!p || room < d->processes) return INSUFFICIENT_SIZE;
    memset(p, 0, room * sizeof *p);
    for (unsigned i = 0; i < d->processes; i++) { p[i].pid = d->pid[i]; p[i].stamp = stamp; p[i].sm = d->sm[i]; }
    return SUCCESS; }

#ifdef OLD
#define NO_FIELDS
#define NO_MEMORY_V2
#define NO_TEMPERATURE_V
#define NO_EVENT_REASONS
#define NO_PROCESSES_V3
#endif
typedef struct { unsigned field, scope; int64_t stamp, latency; unsigned type; ret r; union { unsigned u; u64 ull; double d; } v; } field_value;
#ifndef NO_FIELDS
ret nvmlDeviceGetFieldValues(void *h, int n, field_value *f) {
    WHOLE_ONLY(h);
    for (int i = 0; i < n; i++) {
        char name[16]; double t = now(); snprintf(name, sizeof name, "field%u", f[i].field);
        f[i].r = enter(h, name); f[i].type = 1; f[i].stamp = (int64_t)system_us(t);
        if (f[i].field == 186) f[i].v.u = (unsigned)milliwatts(at(h), t);
        else if (f[i].field == 185) f[i].v.u = (unsigned)(milliwatts(at(h), t) / 2);
        else if (f[i].field == 83) { f[i].v.ull = counter(at(h), &t); f[i].type = 3; f[i].stamp = (int64_t)system_us(t); }
        else f[i].r = NOT_SUPPORTED;
    }
    return SUCCESS; }
#endif
typedef struct { unsigned version; u64 total, reserved, free, used; } memory_v2;
#ifndef NO_MEMORY_V2
ret nvmlDeviceGetMemoryInfo_v2(void *h, memory_v2 *m) { ENTER(h); m->total = 8ull << 30; m->reserved = 100 << 20; m->used = used(h); return SUCCESS; }
#endif
typedef struct { unsigned version, sensor; int celsius; } temperature;
#ifndef NO_TEMPERATURE_V
ret nvmlDeviceGetTemperatureV(void *h, temperature *t) { WHOLE_ONLY(h); t->celsius = 42; return SUCCESS; }
#endif
#ifndef NO_EVENT_REASONS
ret nvmlDeviceGetCurrentClocksEventReasons(void *h, u64 *bits) { WHOLE_ONLY(h); *bits = 4; return SUCCESS; }
#endif
#ifndef NO_PROCESSES_V3
ret nvmlDeviceGetComputeRunningProcesses_v3(void *h, unsigned *n, process_info *p) { ENTER(h); return processes(h, n, p); }
#endif

size_t stub_sizeof(const char *name) {
    const struct { const char *name; size_t size; } sizes[] = {
        {"FieldValue", sizeof(field_value)}, {"Memory", sizeof(memory_v1)}, {"Memory_v2", sizeof(memory_v2)},
        {"ProcessInfo_v3", sizeof(process_info)}, {"ProcessInfo_v2", sizeof(process_info)}, {"Utilization", sizeof(utilization)},
        {"ProcessUtilizationSample", sizeof(process_use)}, {"Temperature_v1", sizeof(temperature)}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) if (!strcmp(sizes[i].name, name)) return sizes[i].size;
    return 0; }

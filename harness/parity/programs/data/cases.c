#include "parity.h"

extern const struct scenario receive_cases[], send_cases[], end_cases[], signal_cases[],
    thread_cases[], descriptor_cases[], process_cases[], connect_cases[], file_cases[],
    stream_cases[], timeout_cases[], low_water_cases[];

const struct scenario* const case_tables[] = {
    receive_cases, send_cases,       end_cases,     signal_cases,  thread_cases, file_cases,
    descriptor_cases, process_cases, connect_cases, stream_cases, timeout_cases, low_water_cases, NULL};

/** Telemetry four times a second: a table that fills within a burst of a second must be seen filling. */
export const SAMPLE_US = 250_000;
/** Snapshots that wait for the collector: 64 s of them. */
export const SAMPLE_CAPACITY = 256;

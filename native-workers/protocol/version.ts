/** Versions that other processes and later readers check. */

/** Of the messages between host and job process; both ends must agree exactly. */
export const PROTOCOL_VERSION = 1;
/** Of `manifest.json`, stage files and `report.json`; a reader refuses a newer one with `report-version`. */
export const RUN_SCHEMA_VERSION = 1;
export const HONE_VERSION = '0.1.0';

/**
 * Settings of a process that takes and drops large tensors all the time, so that what is dropped goes back to the system. Left
 * to itself V8 lets its young generation grow to 48 MB before it cleans, and glibc keeps freed blocks, in an arena a thread.
 *
 * Peak of the optimize stage with static INT8, glyphs-mobilenetv2 and glyphs-resnet, 256 samples, as it was when this was measured:
 * without 226 and 249 MB; with a young generation of 2 MB 196 and 222; with one arena too 190 and 212; with a fixed threshold too, and
 * without plans of the engine's memory, 178 and 191. With 8 MB in place of 2 it collects a quarter as often, which saves 80 ms of 3 s
 * for 8 MB.
 */
export const SMALL_MEMORY = {
  flags: ['--max-semi-space-size=8'],
  /** Read by glibc; other systems have other allocators. The threshold is in bytes. */
  environment: { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '262144' },
} as const;

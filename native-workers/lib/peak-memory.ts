/** The most memory that this process has had at once. */
import { readFileSync } from 'node:fs';

/**
 * Peak resident set size in bytes. On Linux from `VmHWM`, not from `getrusage`: the kernel carries `ru_maxrss` over from the
 * process that forked this one, so a small worker of a large host would report the host's memory as its own.
 */
export function peakMemory(): number {
  if (process.platform === 'linux') {
    try {
      const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
      if (line?.[1] !== undefined) return Number(line[1]) * 1024;
    } catch {
      // No /proc here: the next best.
    }
  }
  return process.resourceUsage().maxRSS * 1024;
}

/**
 * The environment variables that a job process gets: those that programs and drivers need, and no others. Tokens of the user
 * stay out of the process that parses hostile files, and flags such as NODE_OPTIONS do not change what is measured.
 */

const KEPT = new Set([
  ...[
    'PATH',
    'HOME',
    'USER',
    'LOGNAME',
    'SHELL',
    'LANG',
    'LANGUAGE',
    'TZ',
    'DISPLAY',
    'WAYLAND_DISPLAY',
    'LD_LIBRARY_PATH',
  ],
  ...[
    'SYSTEMROOT',
    'SYSTEMDRIVE',
    'WINDIR',
    'COMSPEC',
    'PATHEXT',
    'USERPROFILE',
    'APPDATA',
    'LOCALAPPDATA',
    'PROGRAMDATA',
  ],
  ...['PROGRAMFILES', 'NUMBER_OF_PROCESSORS', 'PROCESSOR_ARCHITECTURE', 'PROCESSOR_IDENTIFIER'],
  // Where compiled code is kept; see `compile-cache.ts`.
  'NODE_COMPILE_CACHE',
]);

/** Locale, desktop, graphics and compute drivers, and Hone's own. */
const KEPT_PREFIXES = ['LC_', 'XDG_', 'CUDA_', 'NVIDIA_', 'VK_', 'MESA_', 'HONE_'];

/** `temporary` is the folder for temporary files: the supervisor removes it when the process has ended. */
export function workerEnvironment(parent: NodeJS.ProcessEnv, temporary: string): NodeJS.ProcessEnv {
  const kept = Object.entries(parent).filter(([name]) => {
    const upper = name.toUpperCase();
    return KEPT.has(upper) || KEPT_PREFIXES.some((prefix) => upper.startsWith(prefix));
  });
  return { ...Object.fromEntries(kept), TMPDIR: temporary, TEMP: temporary, TMP: temporary };
}

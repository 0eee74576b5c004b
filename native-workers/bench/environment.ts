/** The machine on which a benchmark runs: everything that a reader needs to judge its numbers. Unknown is null, never a guess. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { arch, cpus, loadavg, release, totalmem, type } from 'node:os';
import { promisify } from 'node:util';
import type { Environment } from '../protocol/facts.ts';
import { HONE_VERSION } from '../protocol/version.ts';

/** Flags of /proc/cpuinfo that decide which kernels a runtime takes, under the names that vendors use. */
const LINUX_FLAGS: Readonly<Record<string, string>> = {
  sse4_2: 'sse4.2',
  avx: 'avx',
  f16c: 'f16c',
  fma: 'fma',
  avx2: 'avx2',
  avx_vnni: 'avx_vnni',
  avx512f: 'avx512f',
  avx512bw: 'avx512bw',
  avx512vl: 'avx512vl',
  avx512_vnni: 'avx512_vnni',
  avx512_bf16: 'avx512_bf16',
  avx512_fp16: 'avx512_fp16',
  amx_tile: 'amx_tile',
  amx_int8: 'amx_int8',
  amx_bf16: 'amx_bf16',
  asimd: 'neon',
  asimdhp: 'fp16',
  asimddp: 'dotprod',
  i8mm: 'i8mm',
  bf16: 'bf16',
  sve: 'sve',
  sve2: 'sve2',
  sme: 'sme',
};

/** `sysctl` keys of macOS with the same names. */
const MAC_FLAGS: Readonly<Record<string, string>> = {
  'hw.optional.neon': 'neon',
  'hw.optional.arm.FEAT_FP16': 'fp16',
  'hw.optional.arm.FEAT_DotProd': 'dotprod',
  'hw.optional.arm.FEAT_I8MM': 'i8mm',
  'hw.optional.arm.FEAT_BF16': 'bf16',
  'hw.optional.arm.FEAT_SME': 'sme',
  'hw.optional.avx1_0': 'avx',
  'hw.optional.fma': 'fma',
  'hw.optional.avx2_0': 'avx2',
  'hw.optional.avx512f': 'avx512f',
};

/** `engine` is the name and version of the runtime. The machine index is the benchmark's to add. */
export async function describeEnvironment(engine: string): Promise<Environment> {
  const processors = cpus();
  const [features, governor, virtual] = await Promise.all([cpuFeatures(), cpuGovernor(), isVirtual()]);
  return {
    os: `${type()} ${release()} ${arch()}`,
    cpu: processors[0]?.model.trim() || arch(),
    cores: processors.length,
    memory: totalmem(),
    features,
    node: process.versions.node,
    hone: HONE_VERSION,
    engine,
    machineIndex: null,
    // Windows has no load average and Node says 0 there.
    load: process.platform === 'win32' ? null : (loadavg()[0] ?? null),
    governor,
    virtual,
  };
}

async function cpuFeatures(): Promise<string[]> {
  if (process.platform === 'linux') return linuxFeatures(await textOf('/proc/cpuinfo'));
  if (process.platform === 'darwin') return macFeatures(await outputOf('sysctl', Object.keys(MAC_FLAGS)));
  // Windows tells no instruction sets without native code; all that it runs on here has this much.
  return process.arch === 'arm64' ? ['neon'] : [];
}

/** Of the text of /proc/cpuinfo: `flags` on x86, `Features` on ARM. */
export function linuxFeatures(cpuinfo: string | null): string[] {
  const line = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(cpuinfo ?? '')?.[1] ?? '';
  return line.split(/\s+/).flatMap((flag) => LINUX_FLAGS[flag] ?? []);
}

/** Of the output of `sysctl KEY…`: lines `key: 1`. Unknown keys are missing from it. */
export function macFeatures(output: string | null): string[] {
  return (output ?? '').split('\n').flatMap((line) => {
    const [key = '', value] = line.split(': ');
    return value?.trim() === '1' ? (MAC_FLAGS[key] ?? []) : [];
  });
}

/** Linux: the frequency governor. macOS: `low-power` or `automatic`. Windows: the power plan. */
async function cpuGovernor(): Promise<string | null> {
  if (process.platform === 'linux') {
    const governor = await textOf('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor');
    return governor?.trim() || null;
  }
  if (process.platform === 'darwin') {
    const mode = /lowpowermode\s+(\d)/.exec((await outputOf('pmset', ['-g'])) ?? '')?.[1];
    return mode === undefined ? null : mode === '1' ? 'low-power' : 'automatic';
  }
  if (process.platform === 'win32') {
    return /\(([^)]+)\)\s*$/m.exec((await outputOf('powercfg', ['/getactivescheme'])) ?? '')?.[1] ?? null;
  }
  return null;
}

/** Whether the system runs on a hypervisor that shows itself. */
async function isVirtual(): Promise<boolean | null> {
  if (process.platform === 'linux') {
    const info = await textOf('/proc/cpuinfo');
    if (info !== null && /^flags\s*:.*\bhypervisor\b/m.test(info)) return true;
    const product = await textOf('/sys/class/dmi/id/product_name');
    if (product !== null && /virtual|kvm|qemu|vmware|bochs|hvm/i.test(product)) return true;
    return info === null || process.arch !== 'x64' ? null : false;
  }
  if (process.platform === 'darwin') {
    const present = (await outputOf('sysctl', ['-n', 'kern.hv_vmm_present']))?.trim();
    return present === undefined ? null : present === '1';
  }
  return null;
}

async function textOf(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(() => null);
}

/** What a system tool prints, null when it is missing; a key that it does not know makes it fail after printing the rest. */
async function outputOf(command: string, args: readonly string[]): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)(command, args, { timeout: 5000 });
    return stdout;
  } catch (thrown) {
    return thrown instanceof Error && 'stdout' in thrown && typeof thrown.stdout === 'string' ? thrown.stdout : null;
  }
}

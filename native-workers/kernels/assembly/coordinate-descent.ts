/**
 * `PlainBlockRounder` of ../coordinate-descent.ts as WebAssembly SIMD, operation by operation, so that both give the same bits.
 * One block is in memory at a time, at fixed addresses; sizes are even. `node build.ts kernels` compiles it.
 */
const MOST: usize = 64;
const MATRIX: usize = MOST * MOST * 8;
const VECTOR: usize = MOST * 8;

/** E[x x^T] to fit by and to judge by, with the noise on the diagonal: f64, rows one after the other. */
export const FITTING: usize = 0;
export const JUDGING: usize = MATRIX;
export const WEIGHT: usize = 2 * MATRIX;
const TARGET: usize = WEIGHT + VECTOR;
const REACHED: usize = TARGET + VECTOR;
const EXCESS: usize = REACHED + VECTOR;
/** i8. */
export const NEAREST: usize = EXCESS + VECTOR;
export const CODES: usize = NEAREST + MOST;

export function descend(size: usize, noise: f64, start: f64, minimum: f64, keepScale: bool, sweeps: i32): f64 {
  const bytes = size << 3;
  for (let i: usize = 0; i < bytes; i += 8)
    store<f64>(TARGET + i, dot(FITTING + i * size, WEIGHT, bytes) - noise * load<f64>(WEIGHT + i));
  memory.fill(REACHED, 0, bytes);
  for (let j: usize = 0; j < size; j++) {
    const code = load<i8>(CODES + j);
    if (code !== 0) add(REACHED, FITTING + j * bytes, code, bytes);
  }
  let scale = start;
  for (let sweep = 0; sweep < sweeps; sweep++) {
    let changes = 0;
    for (let i: usize = 0; i < size; i++) {
      const at = i << 3;
      const power = load<f64>(FITTING + i * bytes + at);
      if (!(power > 0)) continue;
      const before: i32 = load<i8>(CODES + i);
      const step = (load<f64>(TARGET + at) / scale - load<f64>(REACHED + at)) / power;
      const after = <i32>max<f64>(-127, min<f64>(127, <f64>before + floor<f64>(step + 0.5)));
      if (after === before) continue;
      store<i8>(CODES + i, after);
      changes++;
      add(REACHED, FITTING + i * bytes, after - before, bytes);
    }
    if (!keepScale) {
      let cross: f64 = 0;
      let power: f64 = 0;
      for (let i: usize = 0; i < size; i++) {
        const code: f64 = load<i8>(CODES + i);
        cross += code * load<f64>(TARGET + (i << 3));
        power += code * load<f64>(REACHED + (i << 3));
      }
      const best = <f64>(<f32>(cross / power));
      if (power > 0 && best >= minimum && best > 0 && abs<f64>(best / start - 1) < 0.5) scale = best;
    }
    if (changes === 0) break;
  }
  return scale;
}

export function errorChange(size: usize, noise: f64, before: f64, after: f64): f64 {
  const bytes = size << 3;
  for (let i: usize = 0; i < size; i++) {
    const both = <f64>load<i8>(NEAREST + i) * before + <f64>load<i8>(CODES + i) * after;
    store<f64>(EXCESS + (i << 3), both - 2 * load<f64>(WEIGHT + (i << 3)));
  }
  let change: f64 = 0;
  for (let i: usize = 0; i < size; i++) {
    const difference = <f64>load<i8>(CODES + i) * after - <f64>load<i8>(NEAREST + i) * before;
    if (difference === 0) continue;
    const sum = dot(JUDGING + i * bytes, EXCESS, bytes) + 2 * noise * load<f64>(WEIGHT + (i << 3));
    change += difference * sum;
  }
  return change;
}

/** The sum of the products of two vectors: those of even and of odd places apart, then together. */
function dot(a: usize, b: usize, bytes: usize): f64 {
  let sums = f64x2.splat(0);
  for (let at: usize = 0; at < bytes; at += 16) sums = f64x2.add(sums, f64x2.mul(v128.load(a + at), v128.load(b + at)));
  return f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
}

function add(into: usize, vector: usize, factor: f64, bytes: usize): void {
  const factors = f64x2.splat(factor);
  for (let at: usize = 0; at < bytes; at += 16)
    v128.store(into + at, f64x2.add(v128.load(into + at), f64x2.mul(v128.load(vector + at), factors)));
}

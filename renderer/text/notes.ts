/** What the codes of inspection notes ask of the user: which to heed, and which pass does something about it. */

const HEEDED: ReadonlySet<string> = new Set([
  'already-quantized',
  'float64-weights',
  'new-opset',
  'old-opset',
  'placeholder-weights',
  'unknown-domain',
  'weights-are-inputs',
]);

const REMEDY: Readonly<Record<string, string>> = {
  'batch-norm-not-folded': 'clean',
  'duplicate-weights': 'clean',
  'large-constants': 'clean',
  'unused-weights': 'clean',
};

/** True for a note that may spoil a run; the others are good to know. */
export function isHeeded(code: string): boolean {
  return HEEDED.has(code);
}

/** Id of the pass that does something about the note. */
export function remedyOf(code: string): string | null {
  return REMEDY[code] ?? null;
}

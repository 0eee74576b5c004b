/** Identifiers of MIL: letters, digits and underscores, none of the reserved words, each once. Source: conversion.md section 2.3. */

const RESERVED: ReadonlySet<string> = new Set(
  (
    'any bool program func tensor list dict tuple true false string bf16 fp16 fp32 fp64 ' +
    'int8 int16 int32 int64 uint8 uint16 uint32 uint64 state'
  ).split(' '),
);

export class Names {
  readonly #used: Set<string> = new Set();

  /** `hint` made an identifier; a number is added when it is taken. */
  unique(hint: string): string {
    const plain = hint.replace(/[^A-Za-z0-9_]/g, '_');
    const base = plain === '' || /^\d/.test(plain) || RESERVED.has(plain) ? `_${plain}` : plain;
    let name = base;
    for (let number = 1; this.#used.has(name); number++) name = `${base}_${number}`;
    this.#used.add(name);
    return name;
  }
}

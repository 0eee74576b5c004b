import type { TflGraph } from './ir.ts';

export function assignLayout(_graph: TflGraph): void {}

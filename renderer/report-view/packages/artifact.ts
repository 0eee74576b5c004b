/** An artifact as the parts of the packages section take it. */
import type { PackagesSection } from '../../../native-workers/report/sections/packages.ts';

export type Artifact = PackagesSection['artifacts'][number];

/** A package may hold several models. */
export function nameOf({ target, model }: Artifact): string {
  return model === undefined ? target : `${target}, ${model}`;
}

/** Every task, in the order in which they are tried on the first batch. */
import { findClassification } from './classification.ts';
import { findDetection } from './detection.ts';
import { findPerplexity } from './perplexity.ts';
import { findRegression } from './regression.ts';
import { findSegmentation } from './segmentation.ts';
import type { FirstBatch, Task, TaskFinder } from './task.ts';

export const TASKS: readonly TaskFinder[] = [
  findDetection,
  findSegmentation,
  findClassification,
  findPerplexity,
  findRegression,
];

export function findTask(first: FirstBatch): Task | null {
  for (const find of TASKS) {
    const task = find(first);
    if (task !== null) return task;
  }
  return null;
}

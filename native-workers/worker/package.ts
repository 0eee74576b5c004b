/** `hone pack`: packages of one model, outside a run. */
import type { Job } from './job.ts';
import { makePackages } from './packaging.ts';

export const packageModel: Job<'package'> = (request, context) => makePackages(request, context);

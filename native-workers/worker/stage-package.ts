/** The package stage of a run: artifacts of the optimised model, or of the source when the recipe made none. */
import { basename, join } from 'node:path';
import { writeFileAtomic } from '../lib/atomic-file.ts';
import type { PackageFacts } from '../protocol/package-facts.ts';
import { readManifest } from '../report/facts-files.ts';
import type { Job } from './job.ts';
import { makePackages } from './packaging.ts';

export const stagePackage: Job<'stage-package'> = async ({ run, file, request }, context) => {
  const { targets = [] } = request;
  if (targets.length === 0) return { models: [], skipped: 'No targets were asked for.' };
  const manifest = await readManifest(run);
  const optimised = manifest.models.findLast(({ id }) => id !== 'source');
  const write = (facts: PackageFacts): Promise<void> =>
    writeFileAtomic(join(run, basename(file)), `${JSON.stringify(facts, null, 1)}\n`);
  const facts = await makePackages(
    {
      model: optimised === undefined ? manifest.source.path : join(run, optimised.path),
      origin: manifest.source.path,
      targets,
      out: join(run, 'package'),
      coverageOnly: false,
      zip: false,
      data: request.evaluation ?? request.calibration,
      samples: request.samples,
      preprocess: request.preprocess,
      options: request.targetOptions ?? {},
      budget: request.budgets.maxMb === undefined ? undefined : request.budgets.maxMb * 1e6,
      seed: request.seed,
    },
    context,
    write,
  );
  await write(facts);
  return { models: [] };
};

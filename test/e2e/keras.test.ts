/** A Keras file in the studio, with real workers: dropped, looked at, optimized, packaged, its report read. */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { servedStudio } from '../helpers/served-studio.ts';
import { hasShared, SHARED } from '../helpers/shared.ts';
import { ROOT, type StudioPage, studioHosts } from '../helpers/studio.ts';

const MODELS = [
  { name: 'nested-3.h5', path: join(ROOT, 'test/golden/keras/nested-3.h5'), input: /a\s*float32\s*batch × 6 × 6 × 3/ },
  ...(hasShared
    ? [
        {
          name: 'pretrainedResnet.h5',
          path: join(SHARED, 'real/pretrainedResnet.h5'),
          input: /input_1\s*float32\s*batch × 32 × 32 × 3/,
        },
      ]
    : []),
];

describe.each(studioHosts())('a Keras model in the studio over the %s host', (host) => {
  const served = servedStudio(host);
  let studio: StudioPage;

  beforeAll(() => {
    ({ studio } = served);
  });

  it.each(MODELS)('is read, optimized and packaged: $name', async ({ path, input }) => {
    await studio.openModel(path);
    // The model of the test before is on the screen until this one was looked at.
    await studio.page.getByRole('region', { name: 'Inputs' }).filter({ hasText: input }).waitFor();
    await studio.screenshot('keras-model');
    await studio.choosePreset('Clean up');
    await studio.fill('Time for it', '1');
    for (const name of ['TensorFlow Lite', 'Core ML']) await studio.page.getByRole('checkbox', { name }).check();
    await studio.button('Check coverage').click();
    await studio.page
      .getByText(/^Covers all \d+ nodes\.$/)
      .nth(1)
      .waitFor();
    await studio.run();
    await studio.ended('Done');
    await studio.heading('Packages for devices').waitFor();
    const checks = studio.page.getByRole('table', { name: /Each on its own runtime/ });
    expect(await checks.getByRole('row', { name: /^tflite LiteRT/ }).textContent()).toContain('passed');
    expect(await checks.getByRole('row', { name: /^coreml MIL read back/ }).textContent()).toContain('passed');
    await studio.link('New run').click();
  });
});

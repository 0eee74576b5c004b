/** The view of every section, in the order of the page. A new section is a file beside this and a line here. */
import type { ReportDocument } from '../../../native-workers/report/document.ts';
import type { SectionId } from '../../../native-workers/report/sections/registry.ts';
import { SectionFrame, type SectionView } from '../section-view.tsx';
import { accuracyView } from './accuracy.tsx';
import { coldStartView } from './cold-start.tsx';
import { environmentView } from './environment.tsx';
import { fidelityView } from './fidelity.tsx';
import { fusionView } from './fusion.tsx';
import { latencyView } from './latency.tsx';
import { memoryView } from './memory.tsx';
import { modelsView } from './models.tsx';
import { operatorsView } from './operators.tsx';
import { packagesView } from './packages.tsx';
import { passesView } from './passes.tsx';
import { quantizationView } from './quantization.tsx';
import { reproduceView } from './reproduce.tsx';
import { saturationView } from './saturation.tsx';
import { sizeView } from './size.tsx';

export const SECTION_VIEWS: { readonly [Id in SectionId]: SectionView<Id> } = {
  latency: latencyView,
  coldStart: coldStartView,
  memory: memoryView,
  size: sizeView,
  accuracy: accuracyView,
  fidelity: fidelityView,
  passes: passesView,
  quantization: quantizationView,
  saturation: saturationView,
  fusion: fusionView,
  operators: operatorsView,
  packages: packagesView,
  models: modelsView,
  environment: environmentView,
  reproduce: reproduceView,
};

export const SECTION_ORDER = Object.keys(SECTION_VIEWS) as SectionId[];

export function SectionById<Id extends SectionId>({
  id,
  report,
}: {
  readonly id: Id;
  readonly report: ReportDocument;
}) {
  const view: SectionView<Id> = SECTION_VIEWS[id];
  return <SectionFrame id={id} view={view} outcome={report.sections[id]} report={report} />;
}

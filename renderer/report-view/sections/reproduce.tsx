import { visible } from '../../../native-workers/report/text.ts';
import { Details } from '../parts.tsx';
import type { SectionProps, SectionView } from '../section-view.tsx';

export const reproduceView: SectionView<'reproduce'> = { title: 'Recipe, and how to do it again', View: Reproduce };

function Reproduce({ data }: SectionProps<'reproduce'>) {
  return (
    <>
      <p>
        In a folder with the files below. The same recipe, inputs, seed and versions give the same model, byte for byte.
      </p>
      <Code label="Command" text={data.command} />
      {data.files.map(({ name, content }) => (
        <figure key={name}>
          <figcaption>
            <code>{name}</code>
          </figcaption>
          <Code label={name} text={JSON.stringify(content, null, 2)} />
        </figure>
      ))}
      <Details summary="The whole request">
        <Code label="The whole request" text={JSON.stringify(data.request, null, 2)} />
      </Details>
    </>
  );
}

/** Line ends are the only invisible characters that code may have. */
function Code({ label, text }: { readonly label: string; readonly text: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region without it cannot be scrolled by keyboard
    <section className="report-code" tabIndex={0} aria-label={label}>
      <pre>{text.split('\n').map(visible).join('\n')}</pre>
    </section>
  );
}

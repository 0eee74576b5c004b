/** The data: what quantizers measure on, what the accuracy is proved on, and how samples become inputs. */
import { ChevronRight } from 'lucide-react';
import { useState } from 'react';
import type { Grant } from '../../../native-workers/protocol/studio.ts';
import { setField, setFields, useDraft } from '../../stores/draft.ts';
import type { Problems } from '../../stores/recipe-form.ts';
import { parsePreprocess } from '../../stores/run-form.ts';
import { DATA } from '../../text/new-run.ts';
import { ChoiceField, TextField } from '../../widgets/fields.tsx';
import { JsonFile } from '../../widgets/json-file.tsx';
import { DataPreviewDialog } from './data-preview-dialog.tsx';
import { GrantField } from './grant-field.tsx';

/** The fields of preprocessing, to tell how many are set. */
const PREPROCESS = [
  'height',
  'width',
  'resize',
  'crop',
  'color',
  'layout',
  'scale',
  'mean',
  'std',
  'tokenizer',
  'maxLength',
  'sampleRate',
  'classNumbers',
] as const;

export function DataPanel({ problems }: { readonly problems: Problems }) {
  const form = useDraft((draft) => draft.form);
  const [open, setOpen] = useState(false);
  const [previewed, setPreviewed] = useState<Grant | null>(null);
  const set = PREPROCESS.filter((name) => form[name] !== null && form[name] !== '').length;
  const shown = open || PREPROCESS.some((name) => problems[name] !== undefined);
  return (
    <section className="pane" aria-labelledby="data">
      <h2 className="pane-title" id="data">
        {DATA.title}
      </h2>
      <div className="pane-form">
        <GrantField
          label={DATA.evaluation}
          hint={DATA.evaluationHint}
          value={form.evaluation}
          onPreview={setPreviewed}
          onChange={(grant) => setField('evaluation', grant)}
        />
        <GrantField
          label={DATA.calibration}
          hint={DATA.calibrationHint}
          value={form.calibration}
          onPreview={setPreviewed}
          onChange={(grant) => setField('calibration', grant)}
        />
        <div className="field-pair">
          <TextField
            label={DATA.samples}
            placeholder={DATA.samplesHint}
            numeric
            value={form.samples}
            problem={problems['samples']}
            onChange={(value) => setField('samples', value)}
          />
          <TextField
            label={DATA.seed}
            hint={DATA.seedHint}
            numeric
            value={form.seed}
            problem={problems['seed']}
            onChange={(value) => setField('seed', value)}
          />
        </div>
        <button type="button" className="disclosure" aria-expanded={shown} onClick={() => setOpen(!shown)}>
          <ChevronRight className="icon disclosure-chevron" aria-hidden />
          {DATA.preprocess}
          <span className="pane-detail">{DATA.preprocessCount(set)}</span>
        </button>
        {shown ? <PreprocessForm problems={problems} /> : null}
      </div>
      {previewed === null ? null : <DataPreviewDialog data={previewed} onClose={() => setPreviewed(null)} />}
    </section>
  );
}

function PreprocessForm({ problems }: { readonly problems: Problems }) {
  const form = useDraft((draft) => draft.form);
  const [imported, setImported] = useState('');
  const text = (name: 'height' | 'width' | 'crop' | 'scale' | 'mean' | 'std' | 'maxLength' | 'sampleRate') => ({
    value: form[name],
    problem: problems[name],
    placeholder: DATA.fromModel,
    onChange: (value: string) => setField(name, value),
  });
  const choice = (name: 'resize' | 'color' | 'layout' | 'classNumbers', words: Readonly<Record<string, string>>) => ({
    value: form[name],
    choices: [
      { value: '', label: name === 'classNumbers' ? DATA.fromData : DATA.fromModel },
      ...Object.entries(words).map(([value, label]) => ({ value, label })),
    ],
    onChange: (value: string) => setField(name, value),
  });
  return (
    <div className="preprocess">
      <p className="field-hint">{DATA.preprocessHint}</p>
      <JsonFile
        label={DATA.importPreprocess}
        onText={(text) => {
          const read = parsePreprocess(text);
          setImported(read.ok ? '' : read.problem);
          if (read.ok) setFields(read.value);
        }}
      />
      {imported === '' ? null : (
        <p className="field-problem" role="alert">
          {imported}
        </p>
      )}
      <div className="field-pair">
        <TextField label={DATA.height} numeric {...text('height')} />
        <TextField label={DATA.width} numeric {...text('width')} />
        <ChoiceField label={DATA.resize} {...choice('resize', DATA.resizes)} />
        <TextField label={DATA.crop} {...text('crop')} hint={DATA.cropHint} />
        <ChoiceField label={DATA.color} {...choice('color', DATA.colors)} />
        <ChoiceField label={DATA.layout} {...choice('layout', DATA.layouts)} />
      </div>
      <TextField label={DATA.scale} numeric {...text('scale')} hint={DATA.scaleHint} />
      <div className="field-pair">
        <TextField label={DATA.mean} {...text('mean')} hint={DATA.channelsHint} />
        <TextField label={DATA.std} {...text('std')} />
      </div>
      <GrantField
        label={DATA.tokenizer}
        hint={DATA.tokenizerHint}
        value={form.tokenizer}
        filesOnly
        onChange={(grant) => setField('tokenizer', grant)}
      />
      <div className="field-pair">
        <TextField label={DATA.maxLength} numeric unit={DATA.tokens} {...text('maxLength')} placeholder={DATA.auto} />
        <TextField label={DATA.sampleRate} numeric unit={DATA.hertz} {...text('sampleRate')} placeholder={DATA.auto} />
      </div>
      <ChoiceField
        label={DATA.classNumbers}
        hint={DATA.classNumbersHint}
        {...choice('classNumbers', DATA.classNumberings)}
      />
    </div>
  );
}

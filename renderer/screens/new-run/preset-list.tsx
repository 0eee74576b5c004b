/** Presets: recipes to start from. The one that the passes still equal is marked. */
import { takeRecipe, useDraft } from '../../stores/draft.ts';
import { useSession } from '../../stores/session.ts';
import { RECIPE } from '../../text/new-run.ts';

export function PresetList() {
  const presets = useSession((session) => session.hello?.presets) ?? [];
  const current = useDraft((draft) => draft.recipe.name);
  return (
    <section className="pane presets" aria-labelledby="presets">
      <h2 className="pane-title" id="presets">
        {RECIPE.presets}
      </h2>
      <p className="pane-text muted">{RECIPE.presetsHint}</p>
      <ul className="preset-list">
        {presets.map((preset) => (
          <li key={preset.name}>
            <button
              type="button"
              className="preset"
              aria-pressed={preset.name === current}
              onClick={() => takeRecipe(preset)}
            >
              <span className="preset-title">{preset.title ?? preset.name}</span>
              <span className="preset-summary">{preset.summary}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** All passes by family, to add one to the recipe. */
import { Menu } from '@base-ui/react/menu';
import { Plus } from 'lucide-react';
import type { PassInfo } from '../../../native-workers/protocol/studio.ts';
import { RECIPE } from '../../text/new-run.ts';
import { Button } from '../../widgets/button.tsx';

export interface PassMenuProps {
  readonly passes: readonly PassInfo[];
  readonly onAdd: (id: string) => void;
}

const FAMILIES = ['clean', 'fuse', 'prune', 'quantize', 'lower'] as const satisfies readonly PassInfo['family'][];

export function PassMenu({ passes, onAdd }: PassMenuProps) {
  const families = FAMILIES.filter((family) => passes.some((pass) => pass.family === family));
  return (
    <Menu.Root modal={false}>
      <Menu.Trigger render={<Button icon={Plus}>{RECIPE.addPass}</Button>} />
      <Menu.Portal>
        <Menu.Positioner className="floating" sideOffset={4} align="end">
          <Menu.Popup className="menu menu-wide">
            {families.map((family) => (
              <Menu.Group key={family}>
                <Menu.GroupLabel className="menu-heading">{RECIPE.families[family]}</Menu.GroupLabel>
                {passes
                  .filter((pass) => pass.family === family)
                  .map((pass) => (
                    <Menu.Item key={pass.id} className="menu-item menu-item-tall" onClick={() => onAdd(pass.id)}>
                      <span className="menu-text">
                        {pass.title}
                        {pass.lossy ? <span className="tag">{RECIPE.lossy}</span> : null}
                      </span>
                      <span className="menu-detail">{pass.summary}</span>
                    </Menu.Item>
                  ))}
              </Menu.Group>
            ))}
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}

/** The keys that the studio knows. */
import { Dialog } from '@base-ui/react/dialog';
import { X } from 'lucide-react';
import { KEYS, SHELL } from '../text/shell.ts';

export function HelpDialog({ open, onClose }: { readonly open: boolean; readonly onClose: () => void }) {
  return (
    <Dialog.Root open={open} onOpenChange={(next) => (next ? undefined : onClose())}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog">
          <div className="dialog-head">
            <Dialog.Title className="dialog-title">{SHELL.help}</Dialog.Title>
            <Dialog.Close className="icon-button" aria-label={SHELL.close} title={SHELL.close}>
              <X className="icon" aria-hidden />
            </Dialog.Close>
          </div>
          <dl className="keys">
            {KEYS.map(({ keys, does }) => (
              <div key={does} className="keys-row">
                <dt>
                  {keys.map((key) => (
                    <kbd key={key}>{key}</kbd>
                  ))}
                </dt>
                <dd>{does}</dd>
              </div>
            ))}
          </dl>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

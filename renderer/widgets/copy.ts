/** Text to the clipboard or into a file, and word of it in the status bar. */
import { notify } from '../stores/notices.ts';
import { SHELL } from '../text/shell.ts';

export function copyText(text: string): void {
  navigator.clipboard.writeText(text).then(
    () => notify(SHELL.copied),
    () => notify(SHELL.copyFailed),
  );
}

export function downloadText(name: string, text: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser has taken the content when the click returns; the name is held a moment for slow ones.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

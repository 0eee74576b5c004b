/** The foot of the window: the connection, the last thing that happened, the library folder and the version. */
import { Cable, Unplug } from 'lucide-react';
import { useNotices } from '../../stores/notices.ts';
import { useSession } from '../../stores/session.ts';
import { SHELL } from '../../text/shell.ts';

export function StatusBar() {
  const { hello, status } = useSession();
  const latest = useNotices((notices) => notices.latest);
  const Icon = status === 'lost' ? Unplug : Cable;
  return (
    <footer className="status-bar">
      <span className={`status-bar-item ${status === 'lost' ? 'status-bar-lost' : ''}`}>
        <Icon className="icon icon-small" aria-hidden />
        {status === 'lost' ? SHELL.lostShort : SHELL.connected}
      </span>
      <output className="status-bar-notice cut" key={latest?.count}>
        {latest?.text}
      </output>
      <span className="status-bar-item status-bar-path cut" title={hello?.library}>
        {hello?.library}
      </span>
      <span className="status-bar-item">
        {SHELL.product} {hello?.hone}
      </span>
    </footer>
  );
}

/** A screen that fails to draw takes only itself down. */
import { Bug } from 'lucide-react';
import { Component, type ReactNode } from 'react';
import { SHELL } from '../text/shell.ts';
import { Button } from './button.tsx';
import { copyText } from './copy.ts';
import { EmptyState } from './empty-state.tsx';

interface State {
  readonly error: Error | null;
}

export class ErrorBoundary extends Component<{ readonly children: ReactNode }, State> {
  override state: State = { error: null };

  static getDerivedStateFromError(thrown: unknown): State {
    return { error: thrown instanceof Error ? thrown : new Error(String(thrown)) };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (error === null) return this.props.children;
    return (
      <EmptyState
        icon={Bug}
        title={SHELL.screenFailed}
        actions={
          <>
            <Button weight="primary" onClick={() => this.setState({ error: null })}>
              {SHELL.screenRetry}
            </Button>
            <Button onClick={() => copyText(`${error.message}\n${error.stack ?? ''}`)}>{SHELL.details}</Button>
          </>
        }
      >
        {SHELL.screenFailedDetail} <code>{error.message}</code>
      </EmptyState>
    );
  }
}

/** Sends the files of one drop to the browser host, one after another, and gathers the grants it gives for them. */
import { z } from 'zod';
import { errorDataSchema, HoneError } from '../../native-workers/protocol/errors.ts';
import { type Grant, grantSchema, UPLOAD_PATH } from '../../native-workers/protocol/studio.ts';
import type { DroppedFile } from './dropped-files.ts';
import type { UploadProgress } from './studio-client.ts';

/** One grant for each file or folder that was dropped. Rejects with the host's refusal, or `engine-unreachable`. */
export async function uploadFiles(files: readonly DroppedFile[], progress: UploadProgress): Promise<Grant[]> {
  const drop = crypto.randomUUID();
  const total = files.reduce((sum, { file }) => sum + file.size, 0);
  // Files of one folder all get the folder's grant: the last answer is the one that knows its size.
  const grants = new Map<string, Grant>();
  let done = 0;
  for (const { path, file } of files) {
    const grant = await uploadFile(`${UPLOAD_PATH}?${new URLSearchParams({ drop, path })}`, file, (sent) =>
      progress(done + sent, total),
    );
    done += file.size;
    grants.set(path.split('/')[0] ?? path, grant);
  }
  return [...grants.values()];
}

/** XMLHttpRequest and not `fetch`, because only it tells how much has been sent. */
function uploadFile(url: string, file: File, progress: (sent: number) => void): Promise<Grant> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', url);
    request.upload.addEventListener('progress', (event) => progress(event.loaded));
    request.addEventListener('load', () => {
      try {
        resolve(readAnswer(request.status, request.responseText));
      } catch (error) {
        reject(error);
      }
    });
    request.addEventListener('error', () =>
      reject(new HoneError('engine-unreachable', `Sending ${file.name} failed before it was complete.`)),
    );
    request.send(file);
  });
}

function readAnswer(status: number, text: string): Grant {
  const answer: unknown = text.startsWith('{') ? JSON.parse(text) : null;
  if (status === 200) return grantSchema.parse(answer);
  const refusal = z.object({ error: errorDataSchema }).safeParse(answer);
  throw refusal.success
    ? HoneError.fromData(refusal.data.error)
    : new HoneError('engine-unreachable', `The host refused the file with status ${status}.`);
}

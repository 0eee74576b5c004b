/** The files of a drop with their paths inside it. Folders are walked; a page sees their names but not where they are. */

export interface DroppedFile {
  /** With forward slashes; begins with the folder's name when a folder was dropped. */
  readonly path: string;
  readonly file: File;
}

/** Must be called within the drop event: the entries of a transfer are gone after it. */
export function droppedFiles(transfer: DataTransfer): Promise<DroppedFile[]> {
  const entries = Array.from(transfer.items)
    .map((item) => item.webkitGetAsEntry())
    .filter((entry) => entry !== null);
  if (entries.length === 0) {
    return Promise.resolve(Array.from(transfer.files).map((file) => ({ path: file.name, file })));
  }
  return Promise.all(entries.map((entry) => filesOf(entry, ''))).then((lists) => lists.flat());
}

/** The files of an `<input type="file">`, with their folder when one was chosen. */
export function chosenFiles(files: FileList): DroppedFile[] {
  return Array.from(files).map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}

async function filesOf(entry: FileSystemEntry, folder: string): Promise<DroppedFile[]> {
  const path = `${folder}${entry.name}`;
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    return [{ path, file }];
  }
  if (!isDirectory(entry)) return [];
  const reader = entry.createReader();
  const files: DroppedFile[] = [];
  // A reader gives a hundred entries at a time, and none when it is done.
  for (;;) {
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (batch.length === 0) return files;
    for (const child of batch) files.push(...(await filesOf(child, `${path}/`)));
  }
}

const isFile = (entry: FileSystemEntry): entry is FileSystemFileEntry => entry.isFile;
const isDirectory = (entry: FileSystemEntry): entry is FileSystemDirectoryEntry => entry.isDirectory;

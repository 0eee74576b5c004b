/**
 * The desktop host, as a list of what is set up. Electron holds `ready` back until this module is evaluated, so nothing here may
 * await it (electron/electron#40719): what must be done before stands here, the rest in `startStudio`.
 */
import { join } from 'node:path';
import { app } from 'electron';
import { registerStudioScheme } from './app-protocol.ts';
import { filesInArguments, OpenFiles } from './open-files.ts';
import { findParts } from './resources.ts';
import { restrictContents } from './security.ts';
import { failToStart, startStudio } from './studio.ts';

// The library of runs has the folder `Hone`; Chromium's files are not to be among them.
if (!app.commandLine.hasSwitch('user-data-dir')) app.setPath('userData', join(app.getPath('appData'), 'hone-studio'));

// A second line behind the blocked requests: names are not looked up.
app.commandLine.appendSwitch('host-resolver-rules', 'MAP * ~NOTFOUND');
app.enableSandbox();
registerStudioScheme();
app.on('web-contents-created', (_event, contents) => restrictContents(contents));

if (app.requestSingleInstanceLock()) {
  // The program, and from a checkout the folder of the app.
  const skip = app.isPackaged ? 1 : 2;
  const files = new OpenFiles();
  files.add(filesInArguments(process.argv, skip, process.cwd()));
  app.on('open-file', (event, path) => {
    event.preventDefault();
    files.add([path]);
  });
  app.on('second-instance', (_event, argv, folder) => files.add(filesInArguments(argv, skip, folder)));
  app.on('window-all-closed', () => {
    if (process.platform !== 'darwin') app.quit();
  });

  Promise.all([findParts(app.isPackaged, process.resourcesPath), app.whenReady()])
    .then(([parts]) => startStudio(parts, files))
    .catch(failToStart);
} else {
  // The instance that holds the lock has got the arguments.
  app.quit();
}

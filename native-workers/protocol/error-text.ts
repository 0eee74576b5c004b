/** The words of every error code: what it means for the user, and what to do next. The only place where these stand. */
import type { ErrorCode } from './errors.ts';

export interface ErrorWords {
  /** A heading of a few words. */
  readonly title: string;
  /** What it means. */
  readonly meaning: string;
  /** What to do next. */
  readonly next: string;
}

const text = (title: string, meaning: string, next: string): ErrorWords => ({ title, meaning, next });

export const ERROR_TEXT: Record<ErrorCode, ErrorWords> = {
  usage: text(
    'Wrong usage',
    'The command line is not one that Hone knows.',
    'Run the command with --help to see its arguments.',
  ),
  'not-yet': text(
    'Not available yet',
    'This version of Hone cannot do that.',
    'See CHANGELOG.md for what this version can do.',
  ),
  'unknown-run': text(
    'No such run',
    'The library holds no run of that name.',
    'List the runs with `hone runs`, or open the run folder by its path.',
  ),
  'unknown-pass': text(
    'No such pass',
    'A recipe names a pass that does not exist.',
    'List the passes with `hone passes` and correct the name.',
  ),
  'unknown-preset': text(
    'No such preset',
    'No preset has that name.',
    'List the presets with `hone passes` and correct the name.',
  ),
  'invalid-options': text(
    'Options not accepted',
    'An option is unknown or its value is out of range.',
    'Correct the option that the message names; `hone passes PASS` shows what is allowed.',
  ),
  'invalid-recipe': text(
    'Recipe not accepted',
    'The recipe is not valid JSON of the recipe schema.',
    'Correct the field that the message names.',
  ),
  'file-missing': text(
    'File not found',
    'Nothing is at that path.',
    'Check the path; if the file was moved, open it again.',
  ),
  'file-unreadable': text(
    'File cannot be read',
    'The system refused to read the file.',
    'Check that it is a regular file on a connected disk, then try again.',
  ),
  'file-empty': text('Empty file', 'The file holds no bytes.', 'Export or download the model again.'),
  'file-not-a-model': text(
    'Not a model',
    'The content is of no model format that Hone knows.',
    'Open a model of ONNX (.onnx), TensorFlow Lite (.tflite) or Keras (.keras, .h5), or convert it to ONNX first.',
  ),
  'format-unsupported': text(
    'Format not supported',
    'Hone recognises the format but cannot read or write it.',
    'Convert the model to ONNX and open that.',
  ),
  'file-truncated': text(
    'File is cut short',
    'The file ends before the data that its structure promises.',
    'Copy or download the file again and compare its size with the original.',
  ),
  'file-corrupt': text(
    'File is damaged',
    'The structure of the file contradicts itself.',
    'Copy or download the file again; if it stays, export the model again.',
  ),
  'external-data-missing': text(
    'Weights file not found',
    'The model keeps its weights in another file, which is not there.',
    'Put the named file beside the model, where the export wrote it.',
  ),
  'external-data-outside': text(
    'Weights outside the model folder',
    'The model points to a file outside its own folder, which Hone does not follow.',
    'Put the weights file into the folder of the model and export again.',
  ),
  'external-data-range': text(
    'Weights out of range',
    'A tensor points past the end of its weights file.',
    'Copy the model and its weights file again, both from the same export.',
  ),
  'archive-unsafe': text(
    'Archive refused',
    'The archive would unpack outside its folder, or to an unreasonable size.',
    'Unpack it yourself and open the folder.',
  ),
  'graph-cycle': text(
    'The graph has a cycle',
    'A node depends on its own output, so the model cannot run.',
    'Export the model again; a tool that edited it has broken it.',
  ),
  'graph-missing-input': text(
    'A node reads what nothing makes',
    'An input of a node is neither an input, a weight nor the output of a node.',
    'Export the model again; a tool that edited it has broken it.',
  ),
  'graph-duplicate-name': text(
    'A name is used twice',
    'Two values of the graph have the same name, so a reader cannot tell them apart.',
    'Export the model again; a tool that edited it has broken it.',
  ),
  'graph-invalid': text(
    'The graph is not valid',
    'The graph breaks a rule of its format.',
    'Export the model again with a current exporter.',
  ),
  'tensor-too-large': text(
    'A tensor is impossibly large',
    'The product of its dimensions cannot be right.',
    'The file is damaged or hostile: get it again from where it was made.',
  ),
  'artifact-too-large': text(
    'The model is too large for the target',
    'The format of the target cannot hold a file of this size.',
    'Quantize the model first, or choose a target that keeps its weights in files of their own.',
  ),
  'tensor-size-mismatch': text(
    'A tensor has the wrong size',
    'The data of a tensor does not fit its shape.',
    'The file is damaged: get it again from where it was made.',
  ),
  'opset-unsupported': text(
    'Operator set not supported',
    'The model needs an operator set that this version does not handle.',
    'Export the model with an ONNX opset from 7 to 25.',
  ),
  'operator-unsupported': text(
    'Operator not supported',
    'An operator of the model cannot be handled here.',
    'See the named nodes; replace them, or leave out the step that needs them.',
  ),
  'model-already-quantized': text(
    'Already quantized',
    'The model is quantized, and quantizing again would lose accuracy without making it smaller.',
    'Start from the float model, or force it with the option the message names.',
  ),
  'data-missing': text(
    'No data given',
    'This step needs samples and none were given.',
    'Give a data set with --calib or --eval, or choose one in the studio.',
  ),
  'data-empty': text(
    'No samples in the data',
    'The data set holds nothing that can be read as a sample.',
    'Check the folder: images, class folders, .npz, .jsonl, .csv or .wav.',
  ),
  'data-unreadable': text(
    'Data cannot be read',
    'A file of the data set is damaged or of a kind Hone does not know.',
    'Correct or remove the named file.',
  ),
  'data-mismatch': text(
    'Data does not fit the model',
    'The names, shapes or types of the samples are not what the model takes.',
    'Compare the inputs of the model with the data; adjust the preprocessing.',
  ),
  'labels-invalid': text(
    'Labels do not fit',
    'A label is outside the classes of the model or missing.',
    'Correct the labels, or the class order, of the data set.',
  ),
  'preprocess-invalid': text(
    'Preprocessing not accepted',
    'The preprocessing description is not valid.',
    'Correct the field that the message names.',
  ),
  'outputs-not-finite': text(
    'Outputs are not numbers',
    'The model gave NaN or infinity.',
    'Check the inputs; if the float model does it too, the model itself is at fault.',
  ),
  'runtime-missing': text(
    'Runtime not installed',
    'The inference runtime could not be loaded on this machine.',
    'Run `hone doctor` and install what it names.',
  ),
  'runtime-rejected-model': text(
    'The runtime refuses the model',
    'ONNX Runtime could not load or prepare the model.',
    'See the named node or operator in the message; export with operators the runtime knows.',
  ),
  'runtime-failed': text(
    'The runtime failed',
    'The model loaded but could not be run.',
    'Check that the inputs have the shapes the model expects.',
  ),
  'provider-unavailable': text(
    'Provider not available',
    'The execution provider does not exist on this machine.',
    'Run `hone doctor` to see the providers, and choose one of them.',
  ),
  'pass-failed': text(
    'A pass failed',
    'A pass stopped with an error; the model before it is kept.',
    'Leave the pass out of the recipe, and report the model to us if you can.',
  ),
  'pass-broke-graph': text(
    'A pass made an invalid graph',
    'The check after a pass found a broken graph; the model before it is kept.',
    'Leave the pass out of the recipe, and report the model to us if you can.',
  ),
  'worker-crashed': text(
    'The worker process died',
    'The process that did the work ended without a word, most likely in native code.',
    'Run it again; if it dies again, the model or a provider makes the runtime crash: try another provider.',
  ),
  'worker-out-of-memory': text(
    'Out of memory',
    'The process that did the work ran out of memory or the system ended it.',
    'Close other programs, use fewer samples or a smaller batch, and run it again.',
  ),
  'worker-hung': text(
    'The worker did not answer',
    'The process gave no sign of life for too long and was ended.',
    'Run it again; if it hangs again, try fewer threads or another provider.',
  ),
  'worker-start-failed': text(
    'The worker could not start',
    'The process for the work could not be started.',
    'Run `npm ci` again; on a packaged app, install it again.',
  ),
  'protocol-mismatch': text(
    'Versions do not match',
    'The studio and its worker are of different versions.',
    'Restart the studio; if it stays, install it again.',
  ),
  'protocol-violation': text(
    'Unexpected message',
    'A process sent a message that the protocol does not allow.',
    'Run it again, and report it to us with the log.',
  ),
  cancelled: text(
    'Cancelled',
    'The run was stopped on request. What had finished is kept.',
    'Resume the run from its page or with `hone resume RUN`.',
  ),
  'disk-full': text(
    'The disk is full',
    'There was no room to write the results.',
    'Free space or move the library, then resume the run.',
  ),
  'no-permission': text(
    'No permission',
    'The system does not allow reading or writing there.',
    'Choose another folder, or change its permissions.',
  ),
  'run-locked': text(
    'Run in use',
    'Another Hone process is working on this run.',
    'Wait for it, or close the other studio.',
  ),
  'run-corrupt': text(
    'Run folder is damaged',
    'A file of the run is missing or not what its manifest says.',
    'Start the run again from its recipe; finished artifacts are still in the folder.',
  ),
  'run-not-resumable': text(
    'Nothing to resume',
    'The run is finished or its source model has changed.',
    'Start a new run with the same recipe.',
  ),
  'report-missing': text(
    'No report yet',
    'The run ended before it wrote one.',
    'Go on with the run (hone resume), then ask for the report again.',
  ),
  'report-invalid': text(
    'Not a report',
    'The file is no report that Hone wrote, or it is damaged.',
    'Open the report.html or report.json of a run.',
  ),
  'report-version': text(
    'Report of a newer Hone',
    'The file was written by a newer version.',
    'Update Hone and open it again.',
  ),
  'studio-not-built': text(
    'The studio is not built',
    'The files of the user interface are missing.',
    'Run `npm run build`.',
  ),
  'port-in-use': text(
    'Port in use',
    'Another program listens on that port.',
    'Choose another with --port, or leave it out to take a free one.',
  ),
  'file-not-granted': text(
    'File not opened yet',
    'The studio asked for a file that the user did not choose.',
    'Choose the file again.',
  ),
  'engine-unreachable': text(
    'Connection lost',
    'The studio cannot reach its engine.',
    'Check that `hone serve` still runs. If it was started again, open the address that it prints: it is new at every start.',
  ),
  internal: text(
    'Internal error',
    'Something went wrong that Hone did not foresee.',
    'Run it again, and report it to us with the log.',
  ),
};

"""Makes the models and reference outputs of this folder. Run for development only; the files it makes are checked in.

    python -m venv venv && venv/bin/pip install keras==3.15.1 tensorflow-cpu==2.21.0 tf_keras==2.21.0
    venv/bin/python make.py

Each family is one model with an output for each layer that it shows. `NAME-2.h5` is of Keras 2 (tf_keras), `NAME-3.keras` and
`NAME-3.h5` of Keras 3. Beside each stands an `.npz` with the inputs as in0, in1, ... and the outputs as out0, out1, ... that Keras computed
on TensorFlow, CPU. Archives are packed again with deflate, to be small; `basic-3.keras` stays as Keras wrote it.
"""

import os
import sys
import zipfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
HERE = os.path.dirname(os.path.abspath(__file__))


def basic(K, L):
    """A Sequential model without an input layer in its configuration, as many are written."""
    if K.__version__.startswith("2"):
        first = L.Conv2D(4, 3, strides=2, padding="same", activation="relu", input_shape=(9, 8, 3))
        layers = [first]
    else:
        layers = [K.Input((9, 8, 3)), L.Conv2D(4, 3, strides=2, padding="same", activation="relu")]
    layers += [L.BatchNormalization(), L.MaxPooling2D(2, padding="same"), L.Dropout(0.5), L.Flatten(), L.Dense(5, activation="softmax")]
    return K.Sequential(layers)


def convolution(K, L):
    x = K.Input((7, 6, 4), name="picture")
    s = K.Input((9, 4), name="series")
    v = K.Input((5, 4, 6, 2), name="volume")
    return [x, s, v], [
        L.Conv2D(6, (3, 2), strides=(2, 1), padding="same")(x),
        L.Conv2D(4, 3, padding="valid", use_bias=False, activation="tanh")(x),
        L.Conv2D(4, 3, dilation_rate=2, padding="same")(x),
        L.Conv2D(6, 3, groups=2, padding="same")(x),
        L.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2, activation="relu6" if K.__version__[0] == "3" else "relu")(x),
        L.SeparableConv2D(5, 3, padding="same", depth_multiplier=2, activation="relu")(x),
        L.Conv2DTranspose(3, 3, strides=2, padding="same")(x),
        L.Conv2DTranspose(3, 3, strides=2, padding="valid")(x),
        L.Conv2DTranspose(3, 2, strides=3, padding="valid")(x),
        L.Conv2DTranspose(3, (2, 4), strides=2, padding="same", activation="sigmoid")(x),
        L.Conv2DTranspose(2, 3, strides=2, padding="same", output_padding=1)(x),
        L.Conv1D(3, 3, padding="causal", dilation_rate=2)(s),
        L.Conv1D(3, 4, strides=2, padding="same")(s),
        L.DepthwiseConv1D(3, padding="same")(s),
        L.SeparableConv1D(3, 3)(s),
        L.Conv1DTranspose(3, 3, strides=2, padding="same")(s),
        L.Conv3D(3, 3, strides=(2, 1, 2), padding="same")(v),
        L.Conv3DTranspose(2, 3, strides=2, padding="same")(v),
    ]


def pooling(K, L):
    x = K.Input((7, 6, 3), name="picture")
    s = K.Input((9, 3), name="series")
    v = K.Input((5, 4, 6, 2), name="volume")
    conv = L.Conv2D(3, 1)(x)
    return [x, s, v], [
        L.MaxPooling2D((3, 2), strides=2, padding="same")(x),
        L.MaxPooling2D(2)(x),
        L.AveragePooling2D(3, strides=2, padding="same")(x),
        L.AveragePooling2D((2, 3), strides=1)(x),
        L.MaxPooling2D(3, strides=2)(L.ZeroPadding2D(1)(L.Rescaling(1.0, offset=-3.0)(conv))),
        L.AveragePooling2D(3, strides=2)(L.ZeroPadding2D(1)(conv)),
        L.MaxPooling1D(3, strides=2, padding="same")(s),
        L.AveragePooling1D(2)(s),
        L.MaxPooling3D(2)(v),
        L.AveragePooling3D(2, padding="same")(v),
        L.GlobalAveragePooling2D()(conv),
        L.GlobalAveragePooling2D(keepdims=True)(conv),
        L.GlobalMaxPooling2D()(x),
        L.GlobalAveragePooling1D()(s),
        L.GlobalMaxPooling1D(keepdims=True)(s),
        L.GlobalAveragePooling3D()(v),
        L.GlobalMaxPooling3D()(v),
    ]


def activation(K, L):
    x = K.Input((4, 3, 5), name="x")
    conv = L.Conv2D(5, 1)(x)
    names = ["relu", "elu", "selu", "gelu", "swish", "sigmoid", "hard_sigmoid", "tanh", "softmax", "softplus", "softsign", "exponential", "linear"]
    names += ["leaky_relu", "mish"] + (["relu6", "silu", "hard_silu", "log_softmax", "celu", "hard_tanh", "log_sigmoid"] if K.__version__[0] == "3" else [])
    slope = {"negative_slope": 0.2} if K.__version__[0] == "3" else {"alpha": 0.2}
    return [x], [L.Activation(name)(conv) for name in names] + [
        L.ReLU(max_value=1.5)(conv),
        L.ReLU(max_value=1.5, negative_slope=0.1)(conv),
        L.ReLU(max_value=1.5, negative_slope=0.1, threshold=0.2)(x),
        L.LeakyReLU(**slope)(conv),
        L.LeakyReLU()(conv),
        L.PReLU(alpha_initializer="random_normal")(conv),
        L.PReLU(alpha_initializer="random_normal", shared_axes=[1, 2])(conv),
        L.PReLU(alpha_initializer="random_normal")(x),
        L.ELU(alpha=0.7)(conv),
        L.Softmax()(conv),
        L.Softmax(axis=1)(conv),
        L.Dense(3, activation=L.LeakyReLU(**slope))(x),
    ]


def shape(K, L):
    x = K.Input((4, 6, 3), name="x")
    f = K.Input((5,), name="flat")
    s = K.Input((6, 3), name="series")
    conv = L.Conv2D(3, 1)(x)
    one = L.GlobalAveragePooling2D(keepdims=True)(conv)
    return [x, f, s], [
        L.Flatten()(conv),
        L.Flatten()(one),
        L.Reshape((6, 12))(conv),
        L.Reshape((-1, 3))(x),
        L.Permute((3, 1, 2))(conv),
        L.ZeroPadding2D(((1, 2), (0, 3)))(conv),
        L.ZeroPadding2D(2)(x),
        L.ZeroPadding1D((1, 2))(s),
        L.Cropping2D(((1, 0), (2, 1)))(conv),
        L.Cropping1D((1, 2))(s),
        L.UpSampling2D((2, 3))(conv),
        L.UpSampling2D(2, interpolation="bilinear")(conv),
        L.UpSampling1D(2)(s),
        L.RepeatVector(3)(f),
        L.TimeDistributed(L.Dense(2))(s),
        L.TimeDistributed(L.Conv1D(2, 2))(L.Reshape((2, 3, 3))(s)),
        L.GaussianNoise(0.1)(L.SpatialDropout2D(0.2)(conv)),
        L.ZeroPadding3D(1)(L.Reshape((2, 2, 2, 9))(x)),
        L.Cropping3D(((0, 1), (1, 0), (0, 0)))(L.Reshape((2, 2, 2, 9))(x)),
        L.Resizing(7, 4)(conv),
        L.Resizing(3, 9, interpolation="nearest")(x),
        L.Conv2D(2, 1)(L.Reshape((1, 1, 3))(L.GlobalAveragePooling2D()(conv))),
        L.Reshape((3,))(one),
        L.UpSampling3D(2)(L.Reshape((2, 2, 2, 9))(x)),
    ]


def merge(K, L):
    a = K.Input((4, 3, 2), name="a")
    b = K.Input((4, 3, 2), name="b")
    c = K.Input((2,), name="c")
    s = K.Input((5, 4), name="s")
    t = K.Input((3, 4), name="t")
    conv = L.Conv2D(2, 1)(a)
    return [a, b, c, s, t], [
        L.Add()([conv, b, a]),
        L.Subtract()([conv, b]),
        L.Multiply()([conv, L.GlobalAveragePooling2D(keepdims=True)(b)]),
        L.Average()([a, b]),
        L.Maximum()([conv, b]),
        L.Minimum()([a, b]),
        L.Multiply()([conv, c]) if K.__version__[0] == "3" else L.Multiply()([conv, L.Reshape((1, 1, 2))(c)]),
        L.Concatenate()([conv, b]),
        L.Concatenate(axis=1)([conv, b]),
        L.Dot(axes=2)([s, t]),
        L.Dot(axes=(2, 2), normalize=True)([s, t]),
        L.Dot(axes=1)([c, L.Dense(2)(c)]),
    ]


def normalization(K, L):
    x = K.Input((4, 3, 5), name="x")
    f = K.Input((6,), name="f")
    conv = L.Conv2D(5, 1)(x)
    fixed = L.Normalization(mean=[0.1, 0.2, 0.3, 0.4, 0.5], variance=[1.0, 2.0, 3.0, 4.0, 5.0])
    adapted = L.Normalization()
    adapted.adapt(np.random.default_rng(5).normal(2, 3, (50, 6)).astype("float32"))
    return [x, f], [
        L.BatchNormalization()(conv),
        L.BatchNormalization(scale=False, epsilon=0.01)(f),
        L.BatchNormalization(center=False)(x),
        L.BatchNormalization(axis=1)(x),
        L.LayerNormalization()(conv),
        L.LayerNormalization(axis=[-2, -1], epsilon=1e-5)(x),
        L.LayerNormalization(center=False, scale=False)(f),
        L.Rescaling(1 / 127.5, offset=-1)(x),
        fixed(x),
        adapted(f),
    ]


def recurrent(K, L):
    s = K.Input((6, 4), name="s")
    h = K.Input((3,), name="h")
    c = K.Input((3,), name="c")
    outputs = [
        L.LSTM(3)(s),
        L.LSTM(3, return_sequences=True, recurrent_activation="hard_sigmoid", use_bias=False)(s),
        L.LSTM(3, return_sequences=True, go_backwards=True)(s),
        L.LSTM(3)(s, initial_state=[h, c]),
        L.GRU(3)(s),
        L.GRU(3, reset_after=False, return_sequences=True)(s),
        L.GRU(3, go_backwards=True)(s),
        L.SimpleRNN(3, return_sequences=True, activation="relu")(s),
        L.Bidirectional(L.LSTM(3))(s),
        L.Bidirectional(L.LSTM(3, return_sequences=True))(s),
        L.Bidirectional(L.GRU(3, return_sequences=True), merge_mode="sum")(s),
        L.Bidirectional(L.SimpleRNN(3), merge_mode="ave")(s),
    ]
    return [s, h, c], outputs + list(L.LSTM(2, return_state=True)(s))


def attention(K, L):
    words = K.Input((6,), dtype="int32", name="words")
    x = L.Embedding(10, 8)(words)
    y = L.MultiHeadAttention(2, 4)(x, x)
    z = L.MultiHeadAttention(2, 3, value_dim=5, use_bias=False)(x, y)
    m = L.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)
    out = L.LayerNormalization()(L.Add()([x, z]))
    return [words], [x, y, m, out, L.Dense(3)(L.GlobalAveragePooling1D()(out))]


def nested(K, L):
    """A model and a Sequential used as layers, one layer called twice, and arithmetic between layers."""
    i = K.Input((6, 6, 3), name="inner_input")
    inner = K.Model(i, L.BatchNormalization(name="norm")(L.Conv2D(4, 3, padding="same", name="conv")(i)), name="encoder")
    head = K.Sequential([K.Input((4,)), L.Dense(5, activation="relu"), L.Dense(2)], name="head")
    a = K.Input((6, 6, 3), name="a")
    b = K.Input((6, 6, 3), name="b")
    shared = L.Dense(4, name="shared")
    pool = L.GlobalAveragePooling2D()
    left, right = shared(pool(inner(a))), shared(pool(inner(b)))
    return [a, b], [head(left), left * right + 1.0, (left - right) / 2.0, head(right)]


def channels_first(K, L, form="channels_first"):
    """TensorFlow computes it on graphics processors only: the reference is the same model with channels last."""
    first = form == "channels_first"
    x = K.Input((3, 6, 5) if first else (6, 5, 3), name="x")
    y = L.Conv2D(4, 3, padding="same", data_format=form)(x)
    y = L.BatchNormalization(axis=1 if first else -1)(y)
    y = L.MaxPooling2D(2, data_format=form)(L.ReLU()(y))
    others = [L.GlobalAveragePooling2D, L.Flatten]
    return [x], [y, L.ZeroPadding2D(1, data_format=form)(y)] + [other(data_format=form)(y) for other in others]


def channels_first_reference(K, model, feeds):
    twin = K.Model(*channels_first(K, K.layers, "channels_last"))
    twin.set_weights(model.get_weights())
    outputs = twin(feeds[0].transpose(0, 2, 3, 1), training=False)
    return [np.asarray(each).transpose(0, 3, 1, 2) if len(each.shape) == 4 else each for each in outputs]


FAMILIES = [basic, convolution, pooling, activation, shape, merge, normalization, recurrent, attention, nested, channels_first]


def free(K, L):
    """Pictures of any size."""
    x = K.Input((None, None, 3), name="x")
    y = L.Conv2D(4, 3, strides=2, padding="same", activation="relu")(x)
    y = L.DepthwiseConv2D(3, padding="same")(y)
    return [x], [y, L.GlobalAveragePooling2D()(y), L.UpSampling2D(2)(y)]


FAMILIES.append(free)


def build(make, K):
    L = K.layers
    made = make(K, L)
    return K.Model(*made) if isinstance(made, tuple) else made


def randomize(model, rng):
    """Values for what initializers leave at zero or one; variances stay positive."""
    for weight in model.weights:
        path = getattr(weight, "path", weight.name)
        if "seed" in path or "count" in path or "normalization" in path and "mean" in path.split("/")[-1] and "moving" not in path:
            continue
        if "count" in path or path.split("/")[-1].startswith(("variance", "mean")):
            continue
        value = rng.normal(0, 0.5, weight.shape).astype("float32")
        if "variance" in path:
            value = np.abs(value) + 0.3
        weight.assign(value)


def feed(tensor, rng):
    sizes = [2] + [5 if size is None else size for size in tensor.shape[1:]]
    if str(getattr(tensor, "dtype", "float32")).find("int") >= 0:
        return rng.integers(0, 10, sizes).astype("int32")
    return rng.normal(0, 1, sizes).astype("float32")


def pack(path):
    with zipfile.ZipFile(path) as archive:
        files = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in files:
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED, 9)


def write(make, K, version, formats):
    K.backend.clear_session()
    K.utils.set_random_seed(1)
    rng = np.random.default_rng(7)
    model = build(make, K)
    randomize(model, rng)
    feeds = [feed(tensor, rng) for tensor in model.inputs]
    if make is channels_first:
        outputs = channels_first_reference(K, model, feeds)
    else:
        outputs = model(feeds if len(feeds) > 1 else feeds[0], training=False)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    stem = os.path.join(HERE, f"{make.__name__}-{version}")
    arrays = {f"in{index}": value for index, value in enumerate(feeds)} | {f"out{index}": np.asarray(value) for index, value in enumerate(outputs)}
    np.savez_compressed(stem + ".npz", **arrays)
    for extension in formats:
        model.save(f"{stem}.{extension}")
    if "keras" in formats and make is not basic:
        pack(f"{stem}.keras")


def refusals(K):
    """Files that must be refused, and one that h5py writes in its newest form, which must not. In `refused`."""
    import h5py

    L = K.layers
    folder = os.path.join(HERE, "refused")

    class Swap(L.Layer):
        def call(self, x):
            return x[..., ::-1]

    class Written(K.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = L.Dense(2)

        def call(self, x):
            return self.dense(x)

    written = Written()
    written(np.zeros((1, 3), "float32"))
    models = {
        "lambda": K.Sequential([K.Input((3,)), L.Dense(2), L.Lambda(lambda x: x * 2, name="twice")]),
        "custom": K.Sequential([K.Input((3,)), Swap(name="swap_a"), Swap(name="swap_b")]),
        "subclassed": written,
        "masked": K.Sequential([K.Input((5,), dtype="int32"), L.Embedding(7, 3, mask_zero=True), L.LSTM(2)]),
        "activation": K.Sequential([K.Input((3,)), L.Dense(2, activation=lambda_activation)]),
    }
    for name, model in models.items():
        model.save(os.path.join(folder, f"{name}.keras"))
        pack(os.path.join(folder, f"{name}.keras"))
    models["lambda"].save(os.path.join(folder, "lambda.h5"))
    models["lambda"].save_weights(os.path.join(folder, "only.weights.h5"))

    def copied(source, target, **options):
        """All groups, attributes and data again, with other options for each data set."""
        for key, value in source.attrs.items():
            target.attrs[key] = value
        for name, item in source.items():
            if isinstance(item, h5py.Group):
                copied(item, target.create_group(name), **options)
            else:
                target.create_dataset(name, data=item[()], **(options if item.shape else {}))

    def copy(source, name, options, **file_options):
        with h5py.File(os.path.join(HERE, source)) as file, h5py.File(os.path.join(folder, name), "w", **file_options) as new:
            copied(file, new, **options)

    copy("basic-2.h5", "compressed.h5", {"compression": "gzip"})
    copy("pooling-2.h5", "heap-of-links.h5", {}, libver="latest")
    copy("basic-2.h5", "newest.h5", {}, libver="latest")
    with h5py.File(os.path.join(folder, "data.h5"), "w") as file:
        file["measurements"] = np.arange(4.0)


def lambda_activation(x):
    return x * x


if __name__ == "__main__":
    import numpy as np

    wanted = sys.argv[1:]
    if wanted[:1] == ["2"]:
        os.environ["TF_USE_LEGACY_KERAS"] = "1"
        import tf_keras as K

        for family in FAMILIES:
            if len(wanted) == 1 or family.__name__ in wanted:
                write(family, K, 2, ["h5"])
    elif wanted[:1] == ["3"]:
        import keras as K

        for family in FAMILIES:
            if len(wanted) == 1 or family.__name__ in wanted:
                write(family, K, 3, ["keras", "h5"] if family in (basic, nested, recurrent, attention) else ["keras"])
        if len(wanted) == 1 or "refusals" in wanted:
            refusals(K)
    else:
        import subprocess

        for version in ["2", "3"]:
            subprocess.run([sys.executable, __file__, version, *wanted], check=True)

"""Makes `fixtures/miszkur/`: an encoder that TensorFlow trains on digits, saves, and runs; needs Python 3.11.

pip install "tensorflow-cpu==2.15.*" scikit-learn; python tests/bridge/validation/make_keras_fixture.py

The network has the layers and attributes of miszkur/SelfSupervisedLearning with an eighth of its channels, the method
is its BYOL: projector and predictor of one hidden layer, target by EMA, cosine loss.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

HERE = Path(__file__).parent / "fixtures" / "miszkur"
keras, layers = tf.keras, tf.keras.layers


class BasicBlock(layers.Layer):
    def __init__(self, channels, stride=1):
        super().__init__()
        self.conv1 = layers.Conv2D(channels, (3, 3), strides=stride, padding="same")
        self.bn1 = layers.BatchNormalization()
        self.conv2 = layers.Conv2D(channels, (3, 3), strides=1, padding="same")
        self.bn2 = layers.BatchNormalization()
        if stride > 1:
            shortcut = [layers.Conv2D(channels, (1, 1), strides=stride), layers.BatchNormalization()]
            self.downsample = keras.Sequential(shortcut)
        else:
            self.downsample = tf.identity

    def call(self, images, training=None):
        inside = tf.nn.relu(self.bn1(self.conv1(images), training=training))
        inside = self.bn2(self.conv2(inside), training=training)
        return tf.nn.relu(self.downsample(images) + inside)


class ResNet18(keras.Model):
    def __init__(self, width=4):
        super().__init__()
        self.conv1 = layers.Conv2D(width, (3, 3), strides=1, padding="same")
        self.bn1 = layers.BatchNormalization()
        self.layer1 = keras.Sequential([BasicBlock(width), BasicBlock(width)])
        self.layer2 = keras.Sequential([BasicBlock(2 * width, 2), BasicBlock(2 * width)])
        self.layer3 = keras.Sequential([BasicBlock(4 * width, 2), BasicBlock(4 * width)])
        self.layer4 = keras.Sequential([BasicBlock(8 * width, 2), BasicBlock(8 * width)])
        self.avgpool = layers.GlobalAveragePooling2D()

    def call(self, images, training=None):
        inside = tf.nn.relu(self.bn1(self.conv1(images), training=training))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            inside = stage(inside, training=training)
        return self.avgpool(inside)


def head():
    norm = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, center=False, scale=False)
    return keras.Sequential([layers.Dense(32), norm, layers.ReLU(), layers.Dense(8, use_bias=False)])


def main(steps=40, batch=128, gamma=0.996):
    keras.utils.set_random_seed(0)
    images = (load_digits().images / 16).astype("float32")[..., None]
    online, target = [ResNet18(), head()], [ResNet18(), head()]
    predictor, optimizer = head(), keras.optimizers.SGD(0.03, momentum=0.9)
    networks = [*online, predictor]

    def z(network, x):
        return network[1](network[0](x, training=True), training=True)

    def follow(rate):
        for mine, its in zip(online, target, strict=True):
            both = zip(its.get_weights(), mine.get_weights(), strict=True)
            its.set_weights([rate * a + (1 - rate) * b for a, b in both])

    z(target, images[:2]), predictor(z(online, images[:2]))
    follow(0.0)
    draw = np.random.default_rng(0)
    for _ in range(steps):
        x = images[draw.integers(1024, size=batch)]
        views = [np.roll(x, draw.integers(-1, 2, size=2), axis=(1, 2)) + 0.1 * draw.normal(size=x.shape) for _ in "ab"]
        views = [view.astype("float32") for view in views]
        with tf.GradientTape() as tape:
            q, t = ([f(view) for view in views] for f in (lambda v: predictor(z(online, v), training=True),
                                                          lambda v: tf.stop_gradient(z(target, v))))  # fmt: skip
            cosine = keras.losses.CosineSimilarity(axis=1)
            loss = cosine(t[1], q[0]) + cosine(t[0], q[1])
        variables = [v for network in networks for v in network.trainable_variables]
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        follow(gamma)
    HERE.mkdir(parents=True, exist_ok=True)
    online[0].save_weights(HERE / "pre_trained_encoder.h5")
    small = images[:16, :7, :7]
    outputs = {"even": online[0](images[:16], training=False).numpy(), "odd": online[0](small, training=False).numpy()}
    np.savez_compressed(HERE / "outputs_of_tensorflow.npz", **outputs)
    print(f"loss {float(loss):.3f} after {steps} steps; features of std {outputs['even'].std(0).mean():.3f}")


if __name__ == "__main__":
    main()

"""Columns that pretrained networks read: what is made of values, learnt, kept and stressed."""

import io
import json
import warnings
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
import soundfile
import tiny_networks
import torch
from PIL import Image

from penstock import backbones, modalities
from penstock.adapters import hub
from penstock.adapters.store import LocalStore
from penstock.learning import pretrained
from penstock.learning.encoded import Encoded
from penstock.model import Learnt, Model
from penstock.opened import Opened, opened
from penstock.records import Column, Layout
from penstock.spec import Encoder, ModelSpec

NETWORKS = {
    "text": "text", "image": "image", "audio": "audio", "spectrograms": "audio", "whisper": "audio",
}  # fmt: skip
"""Of each tiny network, the kind of column that it reads."""
TUNES = ("frozen", "last", "all", "lora")
NUM_ROWS = 24


def text(rng, n):
    return " ".join(rng.choice(["good", "bad", "film", "a", "the", "xyz"], 1 + n % 9))


def image(rng, n):
    buffer = io.BytesIO()
    shape = (20, 12) if n % 2 else (9, 30, 3)
    Image.fromarray(rng.integers(0, 256, shape).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def audio(rng, n):
    buffer = io.BytesIO()
    wave = 0.1 * rng.normal(size=1500 + 90 * n)
    soundfile.write(buffer, wave, 8000, format="WAV")
    return buffer.getvalue()


MAKE = {"text": (text, pa.string()), "image": (image, pa.binary()), "audio": (audio, pa.binary())}
ODD = {
    "text": ["", None, "[MASK] [PAD] [CLS]", "good " * 5000, "\x00 \ufdfa 😀"],
    "image": [b"", None, b"no image", image(np.random.default_rng(0), 1)[:60]],
    "audio": [b"", None, b"no sound", audio(np.random.default_rng(0), 1)[:90]],
}


@dataclass
class Case:
    """A kind of column, its values, and the files of a network that reads it."""

    kind: str
    column: pa.ChunkedArray
    network: object
    store: LocalStore

    def modality(self, tune="frozen", store=None):
        place = opened({"c": self.network}, self.store)["c"]
        place = Opened(place.folder, place.fingerprint, store)
        return backbones.of(modalities.load(self.kind), self.kind, place, tune)

    def learnt(self, modality):
        target = np.arange(len(self.column), dtype=np.int64) % 2
        return modality.learn(self.column, target, ModelSpec())


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    store = LocalStore(folder / "store")
    found = {}
    for name, kind in NETWORKS.items():
        make, arrow = MAKE[kind]
        (folder / name).mkdir()
        tiny_networks.save(folder / name, name)
        rng = np.random.default_rng(1)
        values = [make(rng, n) for n in range(NUM_ROWS)]
        layout = Layout(
            columns=[Column(name="c", modality=kind, arrow_type=str(arrow))],
            target="y",
            task="regression",
        )
        taken = hub.fetched({"c": Encoder(pretrained=name)}, layout, folder, store)
        found[name] = Case(kind, pa.chunked_array([pa.array(values, arrow)]), taken["c"], store)
    return found


def outputs(encoder, arrays):
    tensors, _ = Encoded.of({"c": arrays}, len(arrays["length"])).take(
        torch.arange(len(arrays["length"])), torch.device("cpu")
    )
    with torch.inference_mode():
        return encoder.eval()(tensors["c"]).numpy()


# ---------------------------------------------------------------- what is made of values


def test_text_vectors_are_those_of_transformers(cases):
    case = cases["text"]
    modality = case.modality()
    found = modality.encode(case.column, case.learnt(modality))["features"]
    with pretrained.quiet() as transformers:
        network = transformers.AutoModel.from_pretrained(modality.opened.folder).eval()
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_file=str(modality.opened.folder / "tokenizer.json"), pad_token="[PAD]"
        )
    for row in (0, 5, 23):
        given = tokenizer(case.column[row].as_py(), return_tensors="pt")
        with torch.inference_mode():
            hidden = network(**given).last_hidden_state[0]
        np.testing.assert_allclose(found[row], hidden.mean(dim=0).numpy(), atol=1e-5)


def test_image_vectors_are_those_of_transformers(cases):
    case = cases["image"]
    modality = case.modality()
    found = modality.encode(case.column, case.learnt(modality))["features"]
    with pretrained.quiet() as transformers:
        network = transformers.AutoModel.from_pretrained(modality.opened.folder).eval()
    picture = Image.open(io.BytesIO(case.column[2].as_py())).convert("RGB").resize((16, 16), 2)
    pixels = (np.asarray(picture) / 255 - [0.5, 0.4, 0.3]) / [0.25, 0.2, 0.3]
    given = torch.tensor(pixels.transpose(2, 0, 1)[None], dtype=torch.float32)
    with torch.inference_mode():
        hidden = network(given).last_hidden_state[0]
    wanted = np.concatenate([hidden[0].numpy(), hidden.mean(dim=0).numpy()])
    np.testing.assert_allclose(found[2], wanted, atol=1e-5)


def test_sounds_are_made_of_mean_0_and_deviation_1_as_transformers_makes_them(cases):
    case = cases["audio"]
    modality = case.modality()
    state = case.learnt(modality)
    arrays = modality.reader.encode(modality.modality, case.column, state, modality.opened.folder)
    given = modality.reader.prepare(
        {name: torch.from_numpy(array) for name, array in arrays.items()}, state.backbone.inputs
    )
    with pretrained.quiet() as transformers:
        extract = transformers.AutoFeatureExtractor.from_pretrained(modality.opened.folder)
    waves = [soundfile.read(io.BytesIO(v.as_py()), dtype="float32")[0] for v in case.column]
    assert arrays["length"].tolist() == [len(wave) for wave in waves]
    for row, wave in enumerate(waves):
        wanted = extract(wave, sampling_rate=8000)["input_values"][0]
        np.testing.assert_allclose(given["input_values"][row, : len(wave)], wanted, atol=2e-3)
        assert not given["input_values"][row, len(wave) :].any()


def given_and_wanted(case, rate):
    """What a network takes of a case's recordings, and what its feature extractor makes of them."""
    modality = case.modality()
    state = case.learnt(modality)
    arrays = modality.reader.encode(modality.modality, case.column, state, modality.opened.folder)
    given = modality.reader.prepare(
        {name: torch.from_numpy(array) for name, array in arrays.items()}, state.backbone.inputs
    )
    with pretrained.quiet() as transformers, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of empty bands
        extract = transformers.AutoFeatureExtractor.from_pretrained(modality.opened.folder)
    waves = [
        wave[:n].astype(np.float32) / 32_767
        for wave, n in zip(arrays["wave"], arrays["length"], strict=True)
    ]
    wanted = extract(waves, sampling_rate=rate, return_tensors="pt")
    return given, wanted


@pytest.mark.parametrize(
    ("name", "taken"), [("spectrograms", "input_values"), ("whisper", "input_features")]
)
def test_spectrograms_are_those_of_the_networks_feature_extractor(cases, name, taken):
    given, wanted = given_and_wanted(cases[name], 16_000)
    assert given.keys() == {taken}
    assert given[taken].shape == wanted[taken].shape
    assert wanted[taken].std() > 0.05
    torch.testing.assert_close(given[taken], wanted[taken].float(), atol=2e-4, rtol=1e-4)


def test_spectrogram_networks_vectors_are_of_the_part_that_sounds(cases):
    for name, front, steps in (("spectrograms", 2, 11), ("whisper", 0, 50)):
        case = cases[name]
        modality = case.modality()
        found = modality.encode(case.column, case.learnt(modality))["features"]
        _, wanted = given_and_wanted(case, 16_000)
        network = pretrained.frozen(modality.opened.folder, "audio")
        with torch.inference_mode():
            hidden = network(**{network.main_input_name: wanted[network.main_input_name].float()})
        row, samples = 7, 2 * (1500 + 90 * 7)  # twice the rate of the file
        states = hidden.last_hidden_state[row]
        reach = {"spectrograms": 400 + 59 * 160, "whisper": 16_000}[name]
        own = -(-min(samples, reach) * steps // reach)
        patches = states[front:].reshape(-1, steps, states.shape[1])[:, :own].mean(dim=(0, 1))
        parts = [states[:front].mean(dim=0), patches] if front else [patches]
        np.testing.assert_allclose(found[row], torch.cat(parts).numpy(), atol=1e-3)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("tune", TUNES)
def test_a_row_alone_is_as_among_others_and_what_is_missing_is_told_apart(cases, name, tune):
    case = cases[name]
    modality = case.modality(tune)
    state = case.learnt(modality)
    state = modality.State.model_validate(json.loads(state.model_dump_json()))
    odd = pa.chunked_array([pa.array(ODD[case.kind], case.column.type)])
    both = pa.chunked_array([*case.column.chunks, *odd.chunks])
    torch.manual_seed(0)
    encoder = modality.encoder(state, ModelSpec())
    torch.nn.init.constant_(encoder.missing, 7.0)
    whole = outputs(encoder, modality.encode(both, state))
    assert whole.shape == (NUM_ROWS + len(odd), encoder.width)
    assert np.isfinite(whole).all()
    assert (whole[NUM_ROWS + 1] == 7).all()
    assert not (whole[:NUM_ROWS] == 7).any()
    alone = [outputs(encoder, modality.encode(both.slice(n, 1), state))[0] for n in (0, 9, 25)]
    np.testing.assert_allclose(np.stack(alone), whole[[0, 9, 25]], atol=1e-4)
    assert len(outputs(encoder, modality.encode(both.slice(0, 0), state))) == 0
    np.testing.assert_allclose(whole[:NUM_ROWS].mean(axis=0), 0, atol=1e-3)  # standardised


# ---------------------------------------------------------------- what learns


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_tuned_learns_and_the_rest_stays_and_is_not_stored_twice(cases, name):
    sizes = {}
    for tune in TUNES:
        case = cases[name]
        modality = case.modality(tune)
        state = case.learnt(modality)
        torch.manual_seed(0)
        encoder = modality.encoder(state, ModelSpec())
        before = {name: w.detach().clone() for name, w in encoder.named_parameters()}
        arrays = {n: torch.from_numpy(a) for n, a in modality.encode(case.column, state).items()}
        optimiser = torch.optim.SGD([w for w in encoder.parameters() if w.requires_grad], 0.1)
        for _ in range(2):
            loss = encoder.train()(arrays)[:, 0].square().sum() + encoder.missing.sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        changed = {n for n, w in encoder.named_parameters() if not torch.equal(w, before[n])}
        stored = encoder.state_dict()
        assert changed <= set(stored)
        sizes[tune] = sum(w.numel() for w in stored.values())
        if tune == "frozen":
            assert changed == {"missing"}
            continue
        assert {name for name in changed if "network" in name}
        if tune == "last":
            assert all(".1." in name for name in changed - {"missing"})
        torch.manual_seed(9)
        again = modality.encoder(state, ModelSpec())
        again.load_state_dict(stored)
        left, right = (outputs(e, modality.encode(case.column, state)) for e in (encoder, again))
        np.testing.assert_allclose(left, right, atol=1e-6)
    assert sizes["frozen"] < sizes["lora"] < sizes["all"]
    assert sizes["last"] < sizes["all"]


def test_few_rows_at_once_give_the_same_gradients(cases):
    case = cases["text"]
    modality = case.modality("all")
    state = case.learnt(modality)
    arrays = {n: torch.from_numpy(a) for n, a in modality.encode(case.column, state).items()}
    slopes = []
    for at_once in (1000, 5):
        encoder = modality.encoder(state, ModelSpec()).train()
        encoder.at_once = at_once
        encoder(arrays)[:, 0].square().sum().backward()
        weights = encoder.network.named_parameters()
        slopes.append({n: w.grad for n, w in weights if w.grad is not None})
    assert slopes[0].keys() == slopes[1].keys()
    for name, slope in slopes[0].items():
        torch.testing.assert_close(slope, slopes[1][name], atol=1e-4, rtol=1e-4)


def test_additions_begin_at_nothing(cases):
    case = cases["text"]
    found = {}
    for tune in ("all", "lora"):
        modality = case.modality(tune)
        state = case.learnt(modality)
        encoder = modality.encoder(state, ModelSpec())
        found[tune] = outputs(encoder, modality.encode(case.column, state))
    np.testing.assert_allclose(found["all"], found["lora"], atol=1e-5)


def test_random_weights_in_place_of_missing_ones_are_refused(cases, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "net"
    folder.mkdir()
    tiny_networks.save(folder, "text")
    weights = load_file(folder / "model.safetensors")
    lost = [name for name in weights if "layer.1" in name]
    kept = {name: w for name, w in weights.items() if name not in lost}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(pretrained.Unfit, match=r"16 of \d+ are missing"):
        pretrained.read(folder, "text")


def test_weights_of_another_size_are_refused_by_name(tmp_path):
    tiny_networks.save(tmp_path, "text")
    config = json.loads((tmp_path / "config.json").read_text()) | {"intermediate_size": 33}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(pretrained.Unfit, match=r"dense.* is of \(32,.*, config.json says \(33,"):
        pretrained.read(tmp_path, "text")


def test_an_encoder_that_was_saved_without_its_decoder_is_read(tmp_path):
    with pretrained.quiet() as transformers:
        config = transformers.T5Config(
            vocab_size=12, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2
        )
        transformers.T5EncoderModel(config).save_pretrained(tmp_path)
    network = pretrained.read(tmp_path, "text")
    assert network(input_ids=torch.ones(2, 5, dtype=torch.long)).last_hidden_state.shape[0] == 2


def test_layers_of_gpt_2_have_low_rank_additions(tmp_path):
    with pretrained.quiet() as transformers:
        config = transformers.GPT2Config(vocab_size=12, n_embd=16, n_layer=2, n_head=2)
        network = transformers.GPT2Model(config).eval()
    given = {"input_ids": torch.ones(2, 5, dtype=torch.long)}
    before = network(**given).last_hidden_state
    network = pretrained.tuned(network, "lora")
    learning = [name for name, w in network.named_parameters() if w.requires_grad]
    assert len(learning) == 2 * 2 * 4
    after = network(**given).last_hidden_state
    torch.testing.assert_close(before, after)
    after.square().sum().backward()
    assert all(w.grad is not None for w in network.parameters() if w.requires_grad)


def learnt_of(folder, store, kind):
    """The state of a column that a folder's network reads."""
    make, arrow = MAKE[kind]
    rng = np.random.default_rng(1)
    column = pa.chunked_array([pa.array([make(rng, n) for n in range(4)], arrow)])
    layout = Layout(
        columns=[Column(name="c", modality=kind, arrow_type=str(arrow))],
        target="y",
        task="regression",
    )
    encoder = Encoder(pretrained=folder.name)
    place = opened(hub.fetched({"c": encoder}, layout, folder.parent, store), store)["c"]
    modality = backbones.of(modalities.load(kind), kind, place, "frozen")
    return modality.learn(column, np.arange(4), ModelSpec())


def test_an_image_of_another_size_than_the_networks_is_refused(tmp_path):
    (tmp_path / "net").mkdir()
    net = tiny_networks.save(tmp_path / "net", "image")
    said = json.loads((net / "preprocessor_config.json").read_text()) | {"size": 32}
    (net / "preprocessor_config.json").write_text(json.dumps(said))
    with pytest.raises(pretrained.Unfit, match=r"ViTModel: .*32.*16") as error:
        learnt_of(net, LocalStore(tmp_path / "store"), "image")
    assert "preprocessor_config.json" in error.value.mistakes[0].remedy


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    (tmp_path / "net").mkdir()
    net = tiny_networks.save(tmp_path / "net", "text")
    weights = load_file(net / "model.safetensors")
    weights["encoder.layer.0.output.dense.weight"] *= float("nan")
    save_file(weights, net / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(pretrained.Unfit, match="4 of 4 vectors are not"):
        learnt_of(net, LocalStore(tmp_path / "store"), "text")


@pytest.mark.parametrize("kind", ["text", "image"])
def test_the_part_of_a_network_of_two_kinds_is_read(tmp_path, kind):
    sizes = {
        "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 32,
    }  # fmt: skip
    texts = sizes | {"vocab_size": 12, "bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    with pretrained.quiet() as transformers:
        config = transformers.CLIPConfig(
            text_config=texts, vision_config=sizes | {"image_size": 16, "patch_size": 8}
        )
        transformers.CLIPModel(config).save_pretrained(tmp_path)
    network = pretrained.read(tmp_path, kind)
    takes = {"text": "input_ids", "image": "pixel_values"}[kind]
    assert network.main_input_name == takes
    given = torch.ones(2, 5, dtype=torch.long) if kind == "text" else torch.zeros(2, 3, 16, 16)
    assert network(**{takes: given}).last_hidden_state.shape[0] == 2


# ---------------------------------------------------------------- what is kept


@pytest.mark.parametrize("name", NETWORKS)
def test_vectors_are_made_once_and_again_when_the_network_is_another(
    cases, name, tmp_path, monkeypatch
):
    case = cases[name]
    store = LocalStore(tmp_path)
    modality = case.modality(store=store)
    state = case.learnt(modality)
    first = modality.encode(case.column, state)
    asked = []
    real = pretrained.features

    def counted(network, arrays, *rest):
        asked.append(len(arrays["length"]))
        return real(network, arrays, *rest)

    monkeypatch.setattr(pretrained, "features", counted)
    turned = case.column.take(pa.array(range(NUM_ROWS - 1, -1, -1)))
    second = case.modality(store=store).encode(turned, state)
    assert asked == []
    np.testing.assert_array_equal(second["features"], first["features"][::-1])
    np.testing.assert_array_equal(second["length"], first["length"][::-1])
    more = pa.chunked_array([*case.column.chunks, pa.array([None, None], case.column.type)])
    modality.encode(more, state)
    assert asked == [1]
    other = modality.State.model_validate(state.model_dump())
    other.backbone.fingerprint = "another"
    modality.encode(case.column, other)
    assert sum(asked[1:]) == len(case.column.unique())


# ---------------------------------------------------------------- all else is the modality's


@pytest.mark.parametrize("name", NETWORKS)
def test_stresses_views_and_baselines_work_on_the_same_state(cases, name):
    case = cases[name]
    modality, plain = case.modality(), modalities.load(case.kind)
    state = case.learnt(modality)
    before = modality.encode(case.column, state)["features"]
    assert modality.STRESSES == plain.STRESSES
    for stress in modality.STRESSES:
        rng = np.random.default_rng(0)
        column = modality.stressed(case.column, state, stress.name, stress.strengths[-1], rng)
        after = modality.encode(column, state)["features"]
        assert after.shape == before.shape
        levelled = case.kind == "text" and stress.name == "capitals"  # by its tokenizer
        assert (np.abs(after - before).max(axis=1) > 1e-6).any() != levelled, stress.name
    assert modality.views(case.column).keys() == plain.views(case.column).keys()
    assert len(modality.plain(case.column, state)) == NUM_ROWS
    if hasattr(plain, "reduced"):
        small = modality.reduced(case.column, state)
        np.testing.assert_allclose(modality.encode(small, state)["features"], before, atol=2e-3)


@pytest.mark.parametrize(
    "name", [n for n, kind in NETWORKS.items() if hasattr(modalities.load(kind), "parted")]
)
@pytest.mark.parametrize("tune", ["frozen", "lora"])
def test_a_hidden_part_changes_what_the_network_reads(cases, name, tune):
    case = cases[name]
    modality = case.modality(tune)
    state = case.learnt(modality)
    encoder = modality.encoder(state, ModelSpec())
    row = case.column.slice(7, 1)
    parted = modality.parted(row, state)
    assert parted.names
    found = outputs(encoder, parted.arrays)
    assert len(found) == len(parted.names)
    here = outputs(encoder, modality.encode(row, state))
    assert (np.abs(found - here).max(axis=1) > 1e-4).mean() > 0.5


def test_columns_side_by_side_are_one_model(cases, tmp_path):
    store = cases["text"].store
    taken = {"t": cases["text"].network, "i": cases["image"].network}
    table = pa.table(
        {
            "t": cases["text"].column, "i": cases["image"].column,
            "n": np.arange(NUM_ROWS, dtype=np.float64), "y": np.arange(NUM_ROWS, dtype=np.float64),
        }
    )  # fmt: skip
    kinds = {"t": "text", "i": "image", "n": "numeric"}
    columns = [
        Column(name=name, modality=kind, arrow_type=str(table.schema.field(name).type))
        for name, kind in kinds.items()
    ]
    target = Column(name="y", modality="numeric", arrow_type="double", role="target")
    layout = Layout(columns=[*columns, target], target="y", task="regression")
    spec = ModelSpec(
        width=8,
        members=2,
        encoders={"t": Encoder(pretrained="text", tune="lora"), "i": Encoder(pretrained="image")},
    )
    learnt = Learnt.of(table, layout, spec, opened(taken, store))
    torch.manual_seed(0)
    model = Model(learnt, learnt.network())
    scores = model.scores(table)
    assert scores.shape == (NUM_ROWS,)
    assert np.isfinite(scores).all()
    text = learnt.to_json()
    again = Learnt.from_json(text, "", lambda name, _: opened(taken, store)[name])
    assert again.to_json() == text

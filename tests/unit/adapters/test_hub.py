"""What is taken of a pretrained network's folder, and what is refused and why."""

import json

import pytest
import tiny_networks
import torch
from safetensors.torch import load_file, save_file

from penstock.adapters import hub, network_files
from penstock.adapters.store import LocalStore
from penstock.errors import BadInput
from penstock.opened import opened
from penstock.records import Column, Layout
from penstock.spec import Encoder, ModelSpec


def layout(**kinds):
    columns = [Column(name=n, modality=kind, arrow_type="string") for n, kind in kinds.items()]
    return Layout(columns=columns, target="y", task="regression")


def fetched(folder, store, kind="text", name="net", **more):
    encoder = Encoder(pretrained=name, **more)
    return hub.fetched({"c": encoder}, layout(c=kind), folder, store)["c"]


def refused(folder, store, kind="text", name="net", **more):
    with pytest.raises(BadInput) as error:
        fetched(folder, store, kind, name, **more)
    (mistake,) = error.value.mistakes
    assert mistake.where == "model.encoders.c.pretrained"
    assert mistake.remedy
    return f"{mistake.rule}; {mistake.found}; {mistake.remedy}"


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "store")


@pytest.fixture
def net(tmp_path):
    (tmp_path / "net").mkdir()
    return tiny_networks.save(tmp_path / "net", "text")


def test_files_licence_and_name_are_kept_and_make_a_folder_again(tmp_path, net, store):
    (net / "LICENSE").write_text("Apache")
    (net / "pytorch_model.bin").write_bytes(b"not read")
    found = fetched(tmp_path, store)
    assert (found.name, found.revision, found.licence) == ("net", "", "apache-2.0")
    assert set(found.files) == {"config.json", "model.safetensors", "tokenizer.json", "LICENSE"}
    folder = opened({"c": found}, store)["c"].folder
    assert (folder / "config.json").read_bytes() == (net / "config.json").read_bytes()
    assert (folder / "model.safetensors").read_bytes() == (net / "model.safetensors").read_bytes()
    assert str(tmp_path) not in found.model_dump_json()


def test_the_fingerprint_is_of_the_content_and_not_of_the_place(tmp_path, net, store):
    before = fetched(tmp_path, store)
    net.rename(tmp_path / "elsewhere")
    assert fetched(tmp_path, store, name="elsewhere").fingerprint == before.fingerprint
    tiny_networks.save(tmp_path / "elsewhere", "text", seed=1)
    assert fetched(tmp_path, store, name="elsewhere").fingerprint != before.fingerprint


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: mit\n---\n", "mit"),
        ("---\nlicense: other\nlicense_name: only-on-sundays\n---\n", "only-on-sundays"),
        ("---\nlicense: [mit, apache-2.0]\n---\n", "mit, apache-2.0"),
        ("# no front matter\nlicense: mit\n", "unknown"),
        ("---\nlicense: {broken\n---\n", "unknown"),
        ("---\n- a list\n---\n", "unknown"),
    ],
)
def test_the_licence_is_what_the_card_says(tmp_path, net, store, card, licence):
    (net / "README.md").write_text(card)
    assert fetched(tmp_path, store).licence == licence


def test_a_network_in_several_files_is_taken_whole(tmp_path, net, store):
    weights = load_file(net / "model.safetensors")
    (net / "model.safetensors").unlink()
    parts = {"a.safetensors": {}, "b.safetensors": {}}
    for number, (name, tensor) in enumerate(weights.items()):
        parts["ab"[number % 2] + ".safetensors"][name] = tensor
    for name, tensors in parts.items():
        save_file(tensors, net / name, metadata={"format": "pt"})
    where = {name: file for file, tensors in parts.items() for name in tensors}
    index = net / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": where}))
    assert {"a.safetensors", "b.safetensors"} <= set(fetched(tmp_path, store).files)
    (net / "b.safetensors").unlink()
    assert "b.safetensors is missing" in refused(tmp_path, store)


def test_pickled_weights_are_refused(tmp_path, net, store):
    torch.save({"w": torch.zeros(1)}, net / "pytorch_model.bin")
    (net / "model.safetensors").unlink()
    said = refused(tmp_path, store)
    assert "only pytorch_model.bin" in said
    assert "can run code" in said
    with pytest.raises(BadInput, match=r"pytorch_model\.bin"):
        hub.check({"c": Encoder(pretrained="net")}, tmp_path)


def test_code_of_a_repository_is_never_run(tmp_path, net, store):
    (net / "evil.py").write_text("raise SystemExit('it ran')")
    config = json.loads((net / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.C", "AutoModel": "evil.M"}}
    (net / "config.json").write_text(json.dumps(config))
    assert "never run" in refused(tmp_path, store)


def test_a_network_of_another_kind_is_refused(tmp_path, net, store):
    assert "BertModel) takes input_ids" in refused(tmp_path, store, kind="image")
    assert "a column of audio takes input_values" in refused(tmp_path, store, kind="audio")


def test_a_tokenizer_is_needed_and_has_to_be_the_networks_own(tmp_path, net, store):
    tokenizer = json.loads((net / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"] |= {f"word{n}": 100 + n for n in range(9)}
    (net / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert "21 tokens, the network knows 12" in refused(tmp_path, store)
    (net / "tokenizer.json").unlink()
    assert "no tokenizer.json" in refused(tmp_path, store)


def test_a_tokenizer_is_made_of_an_older_vocabulary(tmp_path, net, store):
    (net / "tokenizer.json").unlink()
    (net / "vocab.txt").write_text("\n".join(tiny_networks.WORDS))
    said = {"tokenizer_class": "BertTokenizer", "do_lower_case": True}
    (net / "tokenizer_config.json").write_text(json.dumps(said))
    found = opened({"c": fetched(tmp_path, store)}, store)["c"].folder
    from tokenizers import Tokenizer

    ids = Tokenizer.from_file(str(found / "tokenizer.json")).encode("A GOOD film").ids
    assert ids == [2, 7, 4, 6, 3]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (None, "config.json: it is not there"),
        ("{", "one JSON object"),
        ("[1]", "one JSON object"),
        ("{}", "it says none"),
        ({"hidden_size": "16"}, "Field 'hidden_size' expected int"),
        ({"model_type": "no_such"}, "no_such"),
    ],
)
def test_a_config_that_is_no_architecture_is_refused(tmp_path, net, store, config, said):
    own = json.loads((net / "config.json").read_text())
    text = json.dumps(own | config) if isinstance(config, dict) else config
    (net / "config.json").unlink()
    if text is not None:
        (net / "config.json").write_text(text)
    assert said in refused(tmp_path, store)


@pytest.mark.parametrize(
    "settings",
    [
        [1],
        {"size": {"height": 16, "width": 24}},
        {"size": {"longest_edge": 16}},
        {"image_mean": ["a", "b", "c"]},
        {"image_std": [0, 1, 1]},
    ],
)
def test_settings_of_images_that_are_not_understood_are_refused(tmp_path, store, settings):
    (tmp_path / "net").mkdir()
    net = tiny_networks.save(tmp_path / "net", "image")
    own = json.loads((net / "preprocessor_config.json").read_text())
    said = own | settings if isinstance(settings, dict) else settings
    (net / "preprocessor_config.json").write_text(json.dumps(said))
    assert "is not understood" in refused(tmp_path, store, kind="image")


def test_images_need_their_settings(tmp_path, store):
    (tmp_path / "net").mkdir()
    net = tiny_networks.save(tmp_path / "net", "image")
    (net / "preprocessor_config.json").write_text('{"size": 16}')
    assert "image_mean" in refused(tmp_path, store, kind="image")
    (net / "preprocessor_config.json").unlink()
    assert "no preprocessor_config.json" in refused(tmp_path, store, kind="image")


@pytest.mark.parametrize("kind", ["image", "audio"])
def test_settings_of_several_kinds_of_inputs_are_found_in_their_file(tmp_path, store, kind):
    (tmp_path / "net").mkdir()
    net = tiny_networks.save(tmp_path / "net", kind)
    own = json.loads((net / "preprocessor_config.json").read_text())
    (net / "preprocessor_config.json").unlink()
    name = {"image": "image_processor", "audio": "feature_extractor"}[kind]
    together = {"processor_class": "SomeProcessor", name: own}
    (net / "processor_config.json").write_text(json.dumps(together))
    found = opened({"c": fetched(tmp_path, store, kind)}, store)["c"].folder
    assert json.loads((found / "preprocessor_config.json").read_text()) == own
    (net / "processor_config.json").write_text("{]")
    assert "one JSON object" in refused(tmp_path, store, kind)
    (net / "processor_config.json").write_text("{}")
    assert "no preprocessor_config.json" in refused(tmp_path, store, kind)


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("audio", {"feature_extractor_type": "ClapFeatureExtractor"}, "made by ClapFeatureExtr"),
        ("audio", {"sampling_rate": "16 kHz"}, "a sampling rate of 16 kHz"),
        ("spectrograms", {"max_length": 61}, "16 bands and 61 frames, the network reads 16 bands"),
        ("spectrograms", {"std": 0}, "a deviation of 0"),
        ("whisper", {"feature_size": 80}, "80 bands and 100 frames, the network reads 8 bands"),
        ("whisper", {"chunk_length": 30}, "8 bands and 3000 frames, the network reads 8 bands"),
        ("whisper", {"hop_length": 0}, "is not understood"),
        ("whisper", {"n_fft": None}, "is not understood"),
    ],
)
def test_sounds_need_settings_that_make_what_the_network_reads(tmp_path, store, name, wrong, said):
    (tmp_path / "net").mkdir()
    net = tiny_networks.save(tmp_path / "net", name)
    settings = json.loads((net / "preprocessor_config.json").read_text())
    assert "config.json" in fetched(tmp_path, store, kind="audio").files
    (net / "preprocessor_config.json").write_text(json.dumps(settings | wrong))
    assert said in refused(tmp_path, store, kind="audio")
    (net / "preprocessor_config.json").write_text("[1]")
    assert "is not understood" in refused(tmp_path, store, kind="audio")
    (net / "preprocessor_config.json").write_text("{]")
    assert "is not understood" in refused(tmp_path, store, kind="audio")


def test_what_does_not_fit_in_memory_is_refused_by_its_size(tmp_path, net, store, monkeypatch):
    numbers = sum(w.numel() for w in load_file(net / "model.safetensors").values())
    sizes = {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 4 * numbers}
    monkeypatch.setattr(network_files.os, "sysconf", sizes.__getitem__)
    fetched(tmp_path, store)
    said = refused(tmp_path, store, tune="all")
    assert "fits in memory (tune: all)" in said


def test_networks_that_cannot_be_tuned_so_are_refused(tmp_path, store):
    from penstock.learning.pretrained import quiet

    with quiet() as transformers:
        config = transformers.ResNetConfig(
            embedding_size=8, hidden_sizes=[8, 8], depths=[1, 1], layer_type="basic"
        )
        transformers.ResNetModel(config).save_pretrained(tmp_path / "net")
    said = {"size": 16, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (tmp_path / "net" / "preprocessor_config.json").write_text(json.dumps(said))
    assert "linear layers" in refused(tmp_path, store, kind="image", tune="lora")
    assert fetched(tmp_path, store, kind="image", tune="last").licence == "unknown"


def test_a_folder_that_is_not_there_and_a_revision_of_a_folder(tmp_path, net, store):
    assert "no folder ./other" in refused(tmp_path, store, name="./other")
    assert "a folder has no revisions" in refused(tmp_path, store, revision="main")


def test_a_repository_is_taken_from_the_hubs_cache_with_its_commit(
    tmp_path, net, store, monkeypatch
):
    from huggingface_hub import constants

    commit = "0123456789abcdef0123456789abcdef01234567"
    home = tmp_path / "hub" / "models--who--net"
    (home / "snapshots").mkdir(parents=True)
    net.rename(home / "snapshots" / commit)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    found = fetched(tmp_path, store, name="who/net")
    assert (found.name, found.revision) == ("who/net", commit)
    assert "who/nobody" in refused(tmp_path, store, name="who/nobody")


def test_all_mistakes_come_together(tmp_path, net, store):
    encoders = {"a": Encoder(pretrained="./no"), "b": Encoder(pretrained="net", tune="lora")}
    with pytest.raises(BadInput) as error:
        hub.fetched(encoders, layout(a="text", b="image"), tmp_path, store)
    assert [m.where for m in error.value.mistakes] == [
        "model.encoders.a.pretrained", "model.encoders.b.pretrained",
    ]  # fmt: skip


def test_without_the_extra_it_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setattr(hub.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match=r"pip install 'penstock\[pretrained\]'"):
        hub.check({"c": Encoder(pretrained="net")}, tmp_path)


def test_a_text_in_the_spec_is_the_network_and_it_stays_as_it_is():
    spec = ModelSpec(encoders={"photo": "models/vit"})
    assert spec.encoders["photo"] == Encoder(pretrained="models/vit", tune="frozen")
    assert spec.built_in == ModelSpec()

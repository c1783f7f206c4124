import pytest
import torch
from accelerate import skip_first_batches
from accelerate.data_loader import prepare_data_loader
from conftest import make_voc, write_voc_xml

from model.augment import AugmentConfig
from model.classes import VOC_CLASSES
from model.data.dataset import read_split
from model.errors import UserError
from model.loading.dataset import DetectionDataset, LargestObjectDataset, eval_loader, train_loader


@pytest.fixture
def dataset(toy_voc):
    return LargestObjectDataset(
        read_split(toy_voc, "train"), 64, AugmentConfig(), seed=3, progress=False
    )


def test_item_is_image_box_class(dataset):
    image, (bbox_xyxy, class_id) = dataset[0]
    assert image.shape == (3, 64, 64)
    assert image.dtype == bbox_xyxy.dtype == torch.float32
    assert bbox_xyxy.shape == (4,)
    assert class_id.dtype == torch.int64
    assert class_id.shape == ()
    assert len(dataset) == 20


def test_target_is_the_largest_object_in_canvas_pixels(toy_voc):
    split = read_split(toy_voc, "train")
    plain = LargestObjectDataset(split, 64, progress=False)
    for i, row in enumerate(split.frame.itertuples()):
        _, (bbox, class_id) = plain[i]
        scale_x, scale_y = 64 / row.width, 64 / row.height
        expected = [row.xmin * scale_x, row.ymin * scale_y, row.xmax * scale_x, row.ymax * scale_y]
        assert bbox.tolist() == pytest.approx(expected, abs=1e-3)
        assert VOC_CLASSES[class_id] == row.class_name


def test_epochs_draw_anew_and_the_same_epoch_the_same(dataset):
    first = dataset[4][0]
    dataset.set_epoch(1)
    assert not torch.equal(dataset[4][0], first)
    dataset.set_epoch(0)
    assert torch.equal(dataset[4][0], first)
    assert not torch.equal(dataset[5][0], dataset[6][0])


def test_the_trace_with_the_photos_seed_is_what_trains(dataset):
    image, boxes, _ = dataset.photo(7)
    trace = dataset.pipeline.trace(image, boxes, dataset.photo_seed(7))
    assert torch.equal(trace.network, dataset[7][0])


@pytest.mark.parametrize("workers", [0, 2])
def test_lost_boxes_are_counted_an_epoch(toy_voc, workers):
    wild = AugmentConfig(rotation_degrees=90, zoom=2, min_visible=0.98)
    dataset = LargestObjectDataset(read_split(toy_voc, "train"), 64, wild, progress=False)
    expected = [dataset.sample(i)[0] for i in range(len(dataset))]
    dataset.set_epoch(0)
    for _ in train_loader(dataset, 5, num_workers=workers):
        pass
    assert dataset.lost.tolist() == [[s.redraws > 0, s.gave_up] for s in expected]
    assert dataset.lost.any()
    dataset.set_epoch(1)
    assert not dataset.lost.any()


def test_workers_and_batch_size_change_nothing(dataset):
    def collect(batch_size, workers):
        loader = train_loader(dataset, batch_size, seed=1, num_workers=workers)
        seen = []
        for epoch in range(2):
            dataset.set_epoch(epoch)
            loader.sampler.set_epoch(epoch)
            seen += [image for images, _ in loader for image in images]
        return torch.stack(seen)

    alone = collect(5, 0)
    assert torch.equal(alone, collect(10, 2))
    assert not torch.equal(alone[:20], alone[20:])


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_lie_channels_last_and_hold_what_the_items_hold(dataset, workers):
    for loader in (train_loader(dataset, 5, 0, workers), eval_loader(dataset, 5, workers)):
        order = list(loader.sampler)
        images, (bbox_xyxy, class_id) = next(iter(loader))
        assert images.is_contiguous(memory_format=torch.channels_last)
        for row, index in enumerate(order[:5]):
            image, (box, label) = dataset[index]
            assert torch.equal(images[row], image)
            assert torch.equal(bbox_xyxy[row], box)
            assert class_id[row] == label


def test_every_photo_once_an_epoch_in_an_order_of_its_own(dataset):
    loader = train_loader(dataset, 5)
    orders = []
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)
        orders.append(list(loader.sampler))
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(20))
    assert orders[0] != orders[1]


def test_evaluation_keeps_the_order(dataset):
    classes = torch.cat([class_id for _, (_, class_id) in eval_loader(dataset, 8)])
    assert [VOC_CLASSES[c] for c in classes] == dataset.frame.class_name.tolist()


def test_detection_targets_hold_every_object_the_largest_first(toy_voc):
    split = read_split(toy_voc, "train")
    image, target = DetectionDataset(split, 64, progress=False)[0]
    tutorial_image, (bbox, class_id) = LargestObjectDataset(split, 64, progress=False)[0]
    assert torch.equal(image, tutorial_image)
    assert target["boxes"].shape == (2, 4)
    assert target["boxes"].dtype == torch.float32
    assert target["labels"].dtype == torch.int64
    assert torch.equal(target["boxes"][0], bbox)
    assert target["labels"][0] == class_id
    assert (target["boxes"][1, :2] < 2).all()  # the small one in the corner


def test_objects_pushed_out_of_the_picture_are_no_longer_there_to_find(toy_voc):
    wild = AugmentConfig(zoom=4, min_visible=0)
    dataset = DetectionDataset(read_split(toy_voc, "train"), 64, wild, progress=False)
    counts = []
    for epoch in range(6):
        dataset.set_epoch(epoch)
        counts.append(len(dataset[0][1]["labels"]))
    assert set(counts) == {1, 2}


@pytest.mark.parametrize("workers", [0, 1])
def test_a_batch_keeps_the_targets_of_each_photo(toy_voc, workers):
    dataset = DetectionDataset(read_split(toy_voc, "train"), 64, progress=False)
    images, targets = next(iter(eval_loader(dataset, 5, workers)))
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert [len(t["labels"]) for t in targets] == [2, 1, 1, 1, 2]
    assert all(torch.equal(t["boxes"], dataset[i][1]["boxes"]) for i, t in enumerate(targets))


def test_difficult_objects_are_nobodys_target(tmp_path):
    root = make_voc(tmp_path / "VOC2007", 2, 1)
    write_voc_xml(root, "000000", (120, 90), [("car", 1, 1, 120, 90, 1), ("cat", 5, 5, 20, 20)])
    dataset = DetectionDataset(read_split(root, "train"), 64, progress=False)
    assert dataset[0][1]["labels"].tolist() == [VOC_CLASSES.index("cat")]


def test_too_small_a_split_for_a_batch(dataset):
    with pytest.raises(UserError, match="20 images, fewer than one batch of 32"):
        train_loader(dataset, 32)


def numbers_seen(n_processes: int, index: int) -> list[list[int]]:
    """What a process sees of two epochs, batch by batch; it stopped in the second, and resumed."""
    photos = [(torch.zeros(3, 1, 1), number) for number in range(26)]
    loader = prepare_data_loader(
        train_loader(photos, 8, seed=5), num_processes=n_processes, process_index=index,
        split_batches=True,
    )  # fmt: skip
    seen = []
    for epoch in (3, 4):
        loader.set_epoch(epoch)
        for _, batch in skip_first_batches(loader, 1) if epoch == 4 else loader:
            seen.append(batch.tolist())
    return seen


def test_processes_share_every_batch_without_overlap():
    """Together they see what one sees, batch by batch; real ones train in test_train.py."""
    alone, first, second = numbers_seen(1, 0), numbers_seen(2, 0), numbers_seen(2, 1)
    assert [len(batch) for batch in alone] == [8] * 5  # three batches, then two of the next epoch
    assert len({number for batch in alone[:3] for number in batch}) == 24
    together = [sorted(a + b) for a, b in zip(first, second, strict=True)]
    assert together == [sorted(batch) for batch in alone]

"""Views keep range, shape and identity; what they vary is what was asked for."""

import pytest
import torch
from kornia.geometry.transform import warp_perspective
from kornia.morphology import dilation, erosion

from elastic_infogan.core.pixel_range import to_range
from elastic_infogan.data.views import (
    IdentityViews,
    affine_matrices,
    crop_matrices,
    deformations,
    draw_thickness,
    tilt_matrices,
    vary_thickness,
    warp,
)

SETTINGS = {
    "digits": {"rotate": 15, "zoom": 0.2, "translate": 0.1, "shear": 20, "stretch": 0.2, "thickness": 1.0},
    "corners": {"rotate": 20, "zoom": 0.1, "corners": 0.05},
    "natural": {"rotate": 5, "zoom": 0.2, "translate": 0.1, "mirror": True, "colour": 0.4},
}


def pictures(n=8, channels=1, size=28):
    return torch.randint(0, 256, (n, channels, size, size), dtype=torch.uint8)


def still(**changes):
    zeros = {"rotate": 0.0, "zoom": 0.0, "translate": 0.0, "shear": 0.0, "stretch": 0.0}
    return affine_matrices(5, 28, torch.device("cpu"), **(zeros | changes))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("setting", SETTINGS)
def test_views_keep_shape_and_range(setting, channels):
    views = IdentityViews(**SETTINGS[setting])(pictures(channels=channels))
    assert views.shape == (8, channels, 28, 28)
    assert views.dtype == torch.float32
    assert views.min() >= -1 - 1e-5
    assert views.max() <= 1 + 1e-5


def test_no_ranges_mean_no_change():
    images = pictures()
    torch.testing.assert_close(IdentityViews()(images), to_range(images), atol=1e-4, rtol=0)


def test_to_range_spans_minus_one_to_one():
    assert to_range(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [-1.0, 1.0]


def test_affine_maps_without_ranges_are_the_identity_and_rotations_keep_the_centre():
    torch.testing.assert_close(still(), torch.eye(3).expand(5, 3, 3))
    centre = torch.tensor([13.5, 13.5, 1.0])
    moved = still(rotate=30.0, shear=20.0, zoom=0.2) @ centre
    torch.testing.assert_close(moved, centre.expand(5, 3))


def test_a_shear_is_an_angle():
    """Verticals lean by at most so much, and by nearly so much where many are drawn."""
    zeros = {"rotate": 0.0, "zoom": 0.0, "translate": 0.0, "shear": 45.0, "stretch": 0.0}
    lean = affine_matrices(4000, 28, torch.device("cpu"), **zeros)[:, 0, 1].abs().max()
    assert 0.98 < lean <= 1.0 + 1e-5


@pytest.mark.parametrize(("change", "low", "high"), [({"rotate": 45.0}, 1, 1), ({"zoom": 0.2}, 0.64, 1.44)])
def test_the_area_changes_by_zoom_alone(change, low, high):
    area = torch.linalg.det(still(**change)[:, :2, :2])
    assert (area >= low - 1e-5).all()
    assert (area <= high + 1e-5).all()


def test_warping_agrees_with_an_independent_implementation():
    images = to_range(pictures(5))
    maps = still(rotate=30.0, zoom=0.2, translate=0.1)
    maps[:, 2, :2] = 0.001
    # The library takes the map from image to view, and inverts it.
    oracle = warp_perspective(
        images, torch.linalg.inv(maps), (28, 28), padding_mode="border", align_corners=True
    )
    torch.testing.assert_close(warp(images, maps), oracle, atol=1e-3, rtol=0)


def test_places_beyond_the_image_show_its_edge():
    images = torch.rand(3, 2, 9, 9)
    maps = torch.eye(3).repeat(3, 1, 1)
    maps[:, :2, :2] *= 3
    maps[:, :2, 2] = -7.3
    down, across = (torch.arange(9) * 3.0 - 7.3 for _ in range(2))
    inside = torch.stack(torch.meshgrid(down, across, indexing="ij")).clamp(0, 8)
    seen = warp(images, maps)
    assert torch.equal(seen[:, :, 0, 0], images[:, :, 0, 0])
    assert torch.equal(seen[:, :, -1, -1], images[:, :, -1, -1])
    grid = (inside.flip(0).permute(1, 2, 0) / 4 - 1).expand(3, -1, -1, -1)
    oracle = torch.nn.functional.grid_sample(images, grid, padding_mode="border", align_corners=True)
    torch.testing.assert_close(seen, oracle)


def test_half_precision_around_it_moves_no_pixel():
    images = torch.rand(1, 1, 512, 512)
    with torch.autocast("cpu", torch.bfloat16):
        seen = warp(images, torch.eye(3)[None])
    torch.testing.assert_close(seen, images, atol=1e-3, rtol=0)


def test_a_tilt_moves_all_corners_alike_and_no_farther_than_asked():
    maps = tilt_matrices(4000, 28, torch.device("cpu"), 0.05)
    corners = torch.tensor([[x, y, 1.0] for x in (0, 27) for y in (0, 27)]).T
    found = maps @ corners
    moved = (found[:, :2] / found[:, 2:] - corners[:2]).abs()
    assert moved.max() < 0.05 * 28 * 1.12
    mean = moved.mean((0, 1))
    assert mean.min() > 0.95 * mean.max() > 0.4
    middle = maps @ torch.tensor([13.5, 13.5, 1.0])
    torch.testing.assert_close(middle, torch.tensor([13.5, 13.5, 1.0]).expand(4000, 3))


def test_thickness_lies_between_erosion_and_dilation():
    images = pictures()
    views, kernel = vary_thickness(images, **draw_thickness(8, images.device, 1.0)), torch.ones(3, 3)
    assert (views <= dilation(images.float(), kernel) + 1e-3).all()
    assert (views >= erosion(images.float(), kernel) - 1e-3).all()
    assert not torch.equal(views, images.float())


def test_a_mirror_flips_some_and_leaves_some():
    images = pictures(64)
    views, plain = IdentityViews(mirror=True)(images), to_range(images)
    flipped = torch.isclose(views, plain.flip(3), atol=1e-4).flatten(1).all(1)
    kept = torch.isclose(views, plain, atol=1e-4).flatten(1).all(1)
    assert (flipped | kept).all()
    assert flipped.any()
    assert kept.any()


def test_views_follow_the_seed():
    images, views = pictures(), IdentityViews(**SETTINGS["digits"])
    torch.manual_seed(1)
    once = views(images)
    torch.manual_seed(1)
    assert torch.equal(views(images), once)
    assert not torch.equal(views(images), once)


def test_a_crop_shows_a_square_inside_the_image():
    maps = crop_matrices(64, 28, torch.device("cpu"), 0.7)
    corners = torch.tensor([[0.0, 0.0, 1.0], [27.0, 27.0, 1.0]]).T
    found = (maps @ corners)[:, :2]
    assert found.min() >= -1e-4
    assert found.max() <= 27 + 1e-4
    area = torch.linalg.det(maps[:, :2, :2])
    assert area.min() >= 0.3 - 1e-4
    assert area.min() < 0.5 < area.max()


def test_thickness_reaches_farther_in_larger_images():
    dot = torch.zeros(64, 1, 64, 64, dtype=torch.uint8)
    dot[:, :, 32, 32] = 255
    reached = IdentityViews(thickness=1.0)(dot).amax(0)[0] > -0.99
    assert reached.nonzero().amin(0).tolist() == [30, 30]
    assert reached.nonzero().amax(0).tolist() == [34, 34]


@pytest.mark.parametrize("negative", [False, True])
def test_an_opening_takes_thin_lines_away_and_leaves_thick_ones(negative):
    torch.manual_seed(0)
    image = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    image[..., 4:24, 4] = image[..., 4:24, 12:21] = 255  # a hairline and a bar
    shown = image ^ 255 if negative else image
    thin = torch.full((1, 1, 1, 1), int(not negative), dtype=torch.uint8)
    back, reach = torch.ones(1, 1, 1, 1, dtype=torch.bool), torch.full((1, 1, 1, 1), 2, dtype=torch.uint8)
    opened = vary_thickness(shown, torch.ones(1, 1, 1, 1), thin, reach, back, farthest=3)
    image[..., 4] = 0
    torch.testing.assert_close(opened, (image ^ 255 if negative else image).float())


def test_strokes_open_as_far_as_asked_and_not_all_alike():
    torch.manual_seed(0)
    drawn = draw_thickness(500, torch.device("cpu"), 1.0, opened=3)
    assert drawn["reach"].unique().tolist() == [1, 2, 3]
    assert drawn["back"].float().mean() == pytest.approx(0.5, abs=0.1)
    views = IdentityViews(thickness=1.0, opening=0.1).draw(4, pictures())
    assert int(views["reach"].max()) <= 3


def test_deformations_have_the_asked_spread_at_control_points_and_are_smooth_between():
    torch.manual_seed(0)
    moved = deformations(IdentityViews(deform=0.05).draw(2000, pictures())["control"], 28)
    assert moved.shape == (2000, 2, 28, 28)
    assert moved[..., ::9, ::9].std(0).mean() == pytest.approx(0.05 * 28, rel=0.05)  # 4 x 4 points, 9 apart
    step = (moved[..., 1:] - moved[..., :-1]).abs().mean()
    assert step < 0.2 * moved.abs().mean()


def test_displacements_are_in_pixels_across_then_down():
    images = torch.arange(16.0).view(1, 1, 4, 4)
    right, down = torch.zeros(2, 1, 2, 4, 4)
    right[:, 0], down[:, 1] = 1.0, 1.0
    still = torch.eye(3)[None]
    assert warp(images, still, right)[0, 0, 0].tolist() == pytest.approx([1, 2, 3, 3])
    assert warp(images, still, down)[0, 0, :, 0].tolist() == pytest.approx([4, 8, 12, 12])

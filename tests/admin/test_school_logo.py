"""A school's logo: what is taken, what becomes of it, what is refused and how it is told."""

from io import BytesIO

import pytest
from PIL import Image

from idp.desk import schools
from idp.desk.access.rights import AT_TERMINAL
from idp.errors import Invalid
from idp.people import logos
from idp.people.logos import cleaned
from tests.admin.pictures import bomb, picture, size_of
from tests.admin.places import Desk
from tests.admin.test_schools import changes_of, now
from tests.admin.walks.schools import send_logo
from tests.relying_party import Browser

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def at_school(desk: Desk, who: str = "manager") -> Browser:
    browser = desk.browser(who)
    browser.open(f"/admin/schools/{desk.here.id}")
    return browser


def why(file: bytes) -> str:
    with pytest.raises(Invalid) as bad:
        cleaned(file)
    return bad.value.code


class TestMakingAnew:
    @pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF"])
    def test_every_usual_kind_becomes_a_small_png(self, form: str) -> None:
        made = cleaned(picture(form, (600, 300)))

        assert size_of(made) == (176, 88)
        assert len(made) <= logos.LOGO_BYTES

    def test_a_wide_one_fits_what_the_page_shows_twice(self) -> None:
        assert size_of(cleaned(picture("PNG", (3000, 300)))) == (288, 29)

    def test_a_small_one_is_not_blown_up(self) -> None:
        assert size_of(cleaned(picture("PNG", (40, 40)))) == (40, 40)

    def test_noise_in_full_size_stays_within_the_limit(self) -> None:
        written = BytesIO()
        Image.effect_noise((288, 88), 200).convert("RGBA").save(written, "PNG")

        assert len(cleaned(written.getvalue())) <= logos.LOGO_BYTES

    def test_nothing_but_the_pixels_survives(self) -> None:
        exif = Image.Exif()
        exif[0x010F] = "Claire's telephone"
        made = cleaned(picture("JPEG", exif=exif, comment=b"taken at home"))

        assert b"Claire" not in made
        assert b"taken at home" not in made
        with Image.open(BytesIO(made)) as opened:
            assert not opened.info

    def test_a_second_file_behind_the_picture_is_gone(self) -> None:
        assert b"<script>" not in cleaned(picture("PNG") + b"<script>alert(1)</script>")

    def test_a_photograph_held_sideways_stands_upright(self) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6

        assert size_of(cleaned(picture("JPEG", (600, 300), exif=exif))) == (44, 88)

    def test_what_shines_through_does_so_still(self) -> None:
        written = BytesIO()
        Image.new("RGBA", (50, 50), (255, 0, 0, 0)).save(written, "PNG")

        with Image.open(BytesIO(cleaned(written.getvalue()))) as opened:
            assert opened.getpixel((5, 5))[3] == 0  # type: ignore[index]

    def test_of_a_moving_picture_the_first_frame_counts(self) -> None:
        written = BytesIO()
        frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
        frames[0].save(written, "GIF", save_all=True, append_images=frames[1:])

        with Image.open(BytesIO(cleaned(written.getvalue()))) as opened:
            assert opened.getpixel((5, 5))[:3] == (255, 0, 0)  # type: ignore[index]


class TestRefused:
    @pytest.mark.parametrize(
        ("file", "code"),
        [
            (b"", "empty"),
            (b"<svg onload='alert(1)'/>", "vector"),
            (b"\xef\xbb\xbf<?xml version='1.0'?><svg/>", "vector"),
            (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n", "unreadable"),
            (b"\x89PNG\r\n\x1a\n" + b"\0" * 60, "unreadable"),
            (picture("BMP"), "unreadable"),
            (picture("TIFF"), "unreadable"),
            (picture("PNG", (600, 300))[:-200], "unreadable"),
            (picture("JPEG")[:300], "unreadable"),
            (bomb(30_000, 30_000), "too_many_pixels"),
            (bomb(4_000, 4_001), "too_many_pixels"),
            (bomb(2_000_000_000, 2), "too_many_pixels"),
            (bomb(0, 10), "unreadable"),
        ],
    )
    def test_what_is_no_picture_of_ours(self, file: bytes, code: str) -> None:
        assert why(file) == code

    def test_what_is_too_large_is_not_even_opened(self) -> None:
        assert why(b"x" * (logos.UPLOAD_BYTES + 1)) == "too_large"


@on_sqlite
class TestOnThePage:
    def test_a_large_photograph_becomes_the_logo_of_the_sign_in_page(self, desk: Desk) -> None:
        written = BytesIO()
        Image.effect_noise((1200, 900), 90).save(written, "PNG")
        assert len(written.getvalue()) > 500_000
        manager = at_school(desk)

        page = send_logo(manager, written.getvalue())

        assert page.status_code == 200
        assert page.text.count('class="brand-logo"') == 3
        logo = manager.client.get(f"/branding/{desk.here.id}/logo.png")
        assert size_of(logo.data) == (117, 88)
        (noted,) = changes_of(desk.here)
        assert noted["changes"] == {"logo_digest": [None, (now(desk.here).logo_digest or "")[:12]]}

    def test_a_wrong_file_is_told_at_the_field_and_the_old_logo_stays(self, desk: Desk) -> None:
        manager = at_school(desk)
        send_logo(manager, picture())
        before = now(desk.here).logo_digest

        page = send_logo(manager, b"<svg/>", "logo.png")

        assert page.status_code == 400
        assert 'id="logo-file-problem"' in page.text
        assert "SVG" in page.text
        assert now(desk.here).logo_digest == before

    def test_one_that_is_too_large_for_the_form_is_refused(self, desk: Desk) -> None:
        assert send_logo(at_school(desk), b"x" * 6_000_000).status_code == 413

    def test_it_can_be_removed(self, desk: Desk) -> None:
        manager = at_school(desk)
        send_logo(manager, picture())

        manager.submit("logo-remove-form")

        assert now(desk.here).logo_digest is None
        assert manager.client.get(f"/branding/{desk.here.id}/logo.png").status_code == 404

    def test_two_editors_of_one_logo_notice_each_other(self, desk: Desk) -> None:
        manager = at_school(desk)
        schools.set_logo(AT_TERMINAL, desk.here.id, picture(colour="#00ff00"))
        before = now(desk.here).logo_digest

        page = send_logo(manager, picture())

        assert 'id="form-notice"' in page.text
        assert now(desk.here).logo_digest == before

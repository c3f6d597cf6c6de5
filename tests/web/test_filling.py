"""What was typed is written into the form again, and into no other (``idp.web.filling``)."""

from idp.web.filling import filled

PAGE = """
<form action="/other" method="post"><input name="name" value="untouched"></form>
<form method="get" action="/here"><input name="name" value="search"></form>
<form action="/here" method="post">
  <input type="hidden" name="csrf_token" value="fresh">
  <input type="hidden" name="version" value="7">
  <input name="name" value="before" autocomplete="off" required>
  <input type="password" name="password" value="">
  <input type="checkbox" name="role" value="a" checked>
  <input type="checkbox" name="role" value="b">
  <input type="radio" name="one" value="x" checked><input type="radio" name="one" value="y">
  <select name="class"><option value="3A" selected>A</option><option value="3B">B</option></select>
  <textarea name="text">old &amp; grey</textarea>
  <button name="act" value="go">Go</button>
</form>
"""

TYPED = [
    ("version", "6"),
    ("name", 'Zoé "X" <b>'),
    ("password", "secret"),
    ("role", "b"),
    ("one", "y"),
    ("class", "3B"),
    ("text", "first\nsecond </textarea>"),
]


def test_each_kind_of_field_is_filled() -> None:
    page = filled(PAGE, "/here", TYPED)

    assert 'name="name" value="Zoé &quot;X&quot; &lt;b&gt;" autocomplete="off" required>' in page
    assert '<input type="checkbox" name="role" value="a">' in page
    assert '<input type="checkbox" name="role" value="b" checked>' in page
    assert '<input type="radio" name="one" value="x">' in page
    assert '<input type="radio" name="one" value="y" checked>' in page
    assert '<option value="3A">A</option><option value="3B" selected>B</option>' in page
    assert '<textarea name="text">\nfirst\nsecond &lt;/textarea&gt;</textarea>' in page


def test_what_the_form_was_about_comes_back_too() -> None:
    assert '<input type="hidden" name="version" value="6">' in filled(PAGE, "/here", TYPED)


def test_a_form_without_an_address_goes_to_its_own_page() -> None:
    page = '<form method="post"><input name="name" value=""></form>'

    assert 'value="typed"' in filled(page, "/here", [("name", "typed")], page_path="/here")
    assert filled(page, "/here", [("name", "typed")], page_path="/there") == page


def test_passwords_and_other_forms_stay() -> None:
    page = filled(PAGE, "/here", TYPED)

    assert 'name="password" value=""' in page
    assert 'name="csrf_token" value="fresh"' in page
    assert 'value="untouched"' in page
    assert 'value="search"' in page


def test_of_many_forms_the_one_about_the_same_is_filled() -> None:
    rows = "".join(
        f'<form method="post" action="/row"><input type="hidden" name="row" value="{row}">'
        '<input name="name" value=""></form>'
        for row in "ab"
    )

    page = filled(rows, "/row", [("row", "b"), ("name", "typed")])

    assert page.count('value="typed"') == 1
    assert page.index('value="b"') < page.index('value="typed"')
    assert filled(PAGE, "/elsewhere", TYPED) == PAGE

from anonderm.core.names import slugs


def test_slugs_are_distinct_also_where_names_differ_by_accents_or_already_end_in_a_number() -> None:
    found = slugs(["a", "a 2", "a!", "\u00e4", "\u75e4\u75ae", "\u9762\u75b1"])
    assert list(found.values()) == ["a", "a-2", "a-3", "a-4", "class", "class-2"]


def test_slugs_of_many_alike_names_take_no_time() -> None:
    names = [chr(0x4E00 + index // 200) + chr(0x4E00 + index % 200) for index in range(30_000)]
    assert len(set(slugs(names).values())) == len(names)  # minutes, if each were compared with all others

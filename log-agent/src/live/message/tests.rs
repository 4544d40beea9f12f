use super::*;
use proptest::prelude::*;

fn of(file: &str) -> Of {
    Of { source: "0123456789abcdef".into(), file: file.into(), generation: 3 }
}

fn span(offset: u64, next: u64, continues: bool, open: bool) -> Span {
    Span { offset, next, time: Moment::from_unix_ms(1_000), continues, open }
}

fn json(lines: &[Vec<u8>], span: &Span) -> Frame {
    let mut frame = LinesFrame::new(&of("a\"b.log"), Form::Json, 10);
    lines.iter().for_each(|line| frame.push(line));
    let encoded = frame.finish(span);
    serde_json::from_slice::<Told>(encoded.bytes()).unwrap().frame
}

fn text(form: Form, lines: &[&[u8]], open: bool) -> Vec<u8> {
    let mut frame = LinesFrame::new(&of("a"), form, 10);
    lines.iter().for_each(|line| frame.push(line));
    frame.finish(&span(0, 1, false, open)).bytes().to_vec()
}

#[test]
fn raw_text_is_data() {
    for hostile in [
        &b"</script><img src=x onerror=alert(1)>"[..],
        b"\x1b]0;title\x07\x1b[2J\x1b]52;c;AAAA\x07",
        "\u{202e}gol\u{2066}".as_bytes(),
        b"\0\x01\x1f\x7f\\\"\r\t\x08\x0c",
        "\u{2028}\u{2029}\u{feff}".as_bytes(),
        b"",
    ] {
        let Frame::Lines { lines, replaced, .. } =
            json(&[hostile.to_vec()], &span(0, 1, false, false))
        else {
            panic!("no lines");
        };
        assert_eq!(lines[0].as_bytes(), hostile);
        assert!(replaced.is_empty());
    }
}

#[test]
fn what_is_no_utf8_is_marked() {
    let lines = [b"good".to_vec(), b"a\xff\xfeb".to_vec(), "\u{fffd}".into(), b"\xe2\x82".to_vec()];
    let Frame::Lines { lines, replaced, continues, open, offset, next, .. } =
        json(&lines, &span(5, 9, true, true))
    else {
        panic!("no lines");
    };
    assert_eq!(lines, ["good", "a\u{fffd}\u{fffd}b", "\u{fffd}", "\u{fffd}"]);
    assert_eq!((replaced, continues, open, offset, next), (vec![1, 3], true, true, 5, 9));
}

#[test]
fn terminals_see_colours_and_nothing_else_acts() {
    let line = b"\x1b[1;31mred\x1b[0m \x1b]0;t\x07 \x1b[2J\ttab \xff\x7f \x1b[31\r";
    let shown = text(Form::Text, &[line, "\u{202e}x\u{9b}1m".as_bytes()], false);
    assert_eq!(
        String::from_utf8(shown).unwrap(),
        "\x1b[1;31mred\x1b[0m ^[]0;t^G ^[[2J\ttab <FF>^? ^[[31\x1b[0m\n<U+202E>x<U+009B>1m\n"
    );
    assert_eq!(text(Form::Raw, &[line], false), [&line[..], b"\n"].concat());
    assert_eq!(text(Form::Text, &[b"a", b"b"], true), b"a\nb");
}

#[test]
fn gaps_are_told_in_words() {
    let gap = Frame::Gap {
        of: of("app.log"),
        from: 0,
        to: 9,
        bytes: 9,
        lines: Some(2),
        why: "slow".into(),
    };
    let told = encode(&bare(gap.clone()), Form::Text).unwrap();
    assert_eq!(told.bytes(), b"[app.log: left out 2 lines, 9 bytes: this reader is too slow]\n");
    let json = encode(&bare(gap), Form::Json).unwrap();
    assert!(json.bytes().starts_with(b"{\"type\":\"gap\",\"source\":"));
    let hello = Frame::Waiting { expires: Moment::from_unix_ms(0) };
    assert!(encode(&bare(hello), Form::Text).is_none());
}

proptest! {
    #[test]
    fn every_line_comes_back(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8)) {
        let Frame::Lines { lines: read, replaced, .. } = json(&lines, &span(0, 1, false, false)) else {
            return Err(TestCaseError::fail("no lines"));
        };
        let wanted: Vec<String> = lines.iter().map(|l| String::from_utf8_lossy(l).into_owned()).collect();
        prop_assert_eq!(read, wanted);
        let wrong: Vec<u32> = (0u32..).zip(&lines).filter(|(_, l)| std::str::from_utf8(l).is_err()).map(|(n, _)| n).collect();
        prop_assert_eq!(replaced, wrong);
    }

    #[test]
    fn nothing_acts_on_a_terminal(line in prop::collection::vec(any::<u8>(), 0..60)) {
        let shown = String::from_utf8(text(Form::Text, &[&line], false)).unwrap();
        let without = shown.replace("\x1b[", "");
        let colours = shown.matches("\x1b[").count();
        prop_assert!(!without.contains(|c: char| common::printable::acts(c) && c != '\t' && c != '\n'), "{:?}", shown);
        prop_assert!(colours == 0 || shown.ends_with("\x1b[0m\n"));
    }
}

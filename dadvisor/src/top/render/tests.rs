use super::*;
use proptest::prelude::*;

fn rows() -> Vec<Row> {
    vec![
        Row {
            app: "video/transcode/api".into(),
            instance: "video_transcode_api.a1b2c3d4-0000-11f0-9d2c-02420a000001".into(),
            cpu: Some(49.84),
            cpu_limit: Some(99.7),
            memory: Some(104_857_600.0),
            memory_limit: Some(536_870_912.0),
            memory_percent: Some(19.5),
            net: [Some(348_160.0), Some(1_288_490.0)],
            io: [Some(0.0), Some(52_428_800.0)],
            pids: Some(12.0),
            restarts: 3,
            state: "unhealthy",
            uptime: Some(13_200.0),
            alarming: true,
        },
        Row {
            app: "docker/cache".into(),
            instance: "0a1b2c3d4e5f".into(),
            state: "running",
            ..Row::default()
        },
    ]
}

fn text(width: usize) -> String {
    table(&rows(), width, 10, 0).into_iter().map(|l| l.text + "\n").collect()
}

#[test]
fn a_wide_terminal_shows_everything() {
    assert_eq!(
        text(160),
        "\
APP                  INSTANCE                                                   CPU%  LIM%  MEM/LIMIT  NET RX/TX     IO R/W  PIDS  RST  STATE      UPTIME
video/transcode/api  video_transcode_api.a1b2c3d4-0000-11f0-9d2c-02420a000001   49.8  99.7  100M/512M  340K/1.2M      0/50M    12    3  unhealthy   3h40m
docker/cache         0a1b2c3d4e5f                                                  -     -          -          -          -     -    0  running         -
"
    );
}

#[test]
fn eighty_columns_cut_the_instance_and_the_least_important_columns() {
    assert_eq!(
        text(80),
        "\
APP                  INSTANCE        CPU%  LIM%  MEM/LIMIT  NET RX/TX     IO R/W
video/transcode/api  video_…000001   49.8  99.7  100M/512M  340K/1.2M      0/50M
docker/cache         0a1b2c3d4e5f       -     -          -          -          -
"
    );
}

#[test]
fn a_very_narrow_terminal_keeps_app_cpu_and_memory() {
    assert_eq!(
        text(34),
        "\
APP                CPU%  MEM/LIMIT
video/tr…ode/api   49.8  100M/512M
docker/cache          -          -
"
    );
    assert_eq!(text(20).lines().nth(1), Some("video/…de/api   49.8"));
}

#[test]
fn lines_scroll_and_carry_their_tone() {
    let lines = table(&rows(), 80, 1, 1);
    assert_eq!(lines.len(), 2);
    assert!(lines[1].text.starts_with("docker/cache"));
    assert_eq!(table(&rows(), 80, 5, 9).len(), 1);
    let tones: Vec<_> = table(&rows(), 80, 5, 0).iter().map(|l| l.tone).collect();
    assert_eq!(tones, [Tone::Heading, Tone::Alarm, Tone::Plain]);
}

proptest! {
    #[test]
    fn no_line_is_wider_than_the_terminal(app in any::<String>(), instance in "\\PC{0,80}", width in 0usize..120) {
        let row = Row {
            app: common::printable::printable(&app).into_owned(),
            instance,
            memory: Some(1e12),
            ..Row::default()
        };
        for line in table(&[row], width, 3, 0) {
            prop_assert!(wide(&line.text) <= width, "{} > {width}: {}", wide(&line.text), line.text);
        }
    }
}

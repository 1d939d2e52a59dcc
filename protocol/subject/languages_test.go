package subject

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The lines that ../WIRE.md gives to other languages write the golden file's tokens.
var languages = map[string]struct{ line, script string }{
	"php": {
		line: `strtr(rawurlencode($name), ['%3A' => ':', '%40' => '@', '.' => '%2E'])`,
		script: `foreach (json_decode(stream_get_contents(STDIN)) as $name) $out[] = LINE; ` +
			`echo json_encode($out);`,
	},
	"python3": {
		line: `quote(name, safe=':@').replace('.', '%2E')`,
		script: "import json, sys\nfrom urllib.parse import quote\n" +
			"print(json.dumps([LINE for name in json.load(sys.stdin)]))",
	},
	"node": {
		line: `encodeURIComponent(name).replace(/[.!*'()]/g, c => '%' + c.charCodeAt(0).toString(16).toUpperCase())` + "\n" +
			`  .replace(/%3A/g, ':').replace(/%40/g, '@')`,
		script: `console.log(JSON.stringify(JSON.parse(require('fs').readFileSync(0)).map(name => LINE)))`,
	},
}

func TestOtherLanguages(t *testing.T) {
	wire, err := os.ReadFile("../WIRE.md")
	if err != nil {
		t.Fatal(err)
	}
	var names, want []string
	for _, c := range golden(t) {
		if !c.BadGroup && !c.BadToken {
			names, want = append(names, c.Group), append(want, c.Token)
		}
	}
	input, err := json.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	for name, l := range languages {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(string(wire), l.line) {
				t.Errorf("WIRE.md does not say: %s", l.line)
			}
			program, err := exec.LookPath(name)
			if err != nil {
				t.Skipf("%s is not installed", name)
			}
			flag := map[string]string{"php": "-r", "python3": "-c", "node": "-e"}[name]
			cmd := exec.CommandContext(t.Context(), program, flag, strings.ReplaceAll(l.script, "LINE", l.line))
			cmd.Stdin = bytes.NewReader(input)
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if len(got) != len(want) {
				t.Fatalf("%d tokens, want %d", len(got), len(want))
			}
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("%q: %q, want %q", names[i], got[i], want[i])
				}
			}
		})
	}
}

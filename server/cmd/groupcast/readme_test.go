package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadmeExamples: every command line of groupcast's in README and OPERATING.md is one. Those that start
// a server are checked without starting it, in an empty directory: the files that they name
// may be missing, and nothing else wrong.
func TestReadmeExamples(t *testing.T) {
	t.Parallel()
	lines := readmeExamples(t)
	if len(lines) < 15 {
		t.Fatalf("only %d examples are found", len(lines))
	}
	for _, words := range lines {
		line := strings.Join(words, " ")
		if words[1] == "start" {
			args := append(words[1:len(words):len(words)], "--check")
			p := launchIn(t, t.TempDir(), nil, args...)
			<-p.exited
			for complaint := range strings.Lines(p.err.String()) {
				if !strings.Contains(complaint, "no such file") {
					t.Errorf("%s: %s", line, complaint)
				}
			}
			continue
		}
		if words[1] == "help" {
			continue
		}
		p := launch(t, nil, "help", words[1])
		<-p.exited
		if p.cmd.ProcessState.ExitCode() != 0 {
			t.Errorf("%s: there is no such command", line)
		}
		for _, word := range words[2:] {
			if flag := strings.TrimLeft(word, "["); strings.HasPrefix(flag, "-") && flag != "-" &&
				!listsFlag(p.out.String(), flag) {
				t.Errorf("%s: no flag %s in\n%s", line, word, p.out)
			}
		}
	}
}

// readmeExamples are the lines of their blocks of commands that begin with groupcast, in
// words, without quotes, comments and redirections.
func readmeExamples(t *testing.T) (lines [][]string) {
	t.Helper()
	var blocks []string
	for _, name := range []string{"../../../README.md", "../../OPERATING.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range strings.Split(string(text), "```") {
			if i%2 == 1 {
				blocks = append(blocks, block)
			}
		}
	}
	for _, block := range blocks {
		for line := range strings.Lines(block) {
			line, _, _ = strings.Cut(line, " #")
			line, _, _ = strings.Cut(line, ">")
			words := strings.Fields(strings.ReplaceAll(line, "'", ""))
			if len(words) > 1 && words[0] == "groupcast" && !strings.HasPrefix(words[1], "[") {
				lines = append(lines, words)
			}
		}
	}
	return lines
}

func listsFlag(help, flag string) bool {
	flag, _, _ = strings.Cut(strings.TrimRight(flag, "]"), "=")
	return regexp.MustCompile(`(^|[\s,])` + regexp.QuoteMeta(flag) + `($|[\s,=\[])`).MatchString(help)
}

// TestInstall: what was built is what is installed, where DESTDIR and PREFIX say.
func TestInstall(t *testing.T) {
	t.Parallel()
	make, err := exec.LookPath("make")
	if err != nil {
		t.Skip("no make")
	}
	bin, dest := t.TempDir(), t.TempDir()
	built := filepath.Join(bin, "groupcast")
	if err := os.WriteFile(built, []byte("#!/bin/sh\necho built\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(make, "--no-print-directory", "-C", "../../..", "install", "BIN="+bin, "DESTDIR="+dest,
		"PREFIX=/opt/a b").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	said, err := exec.Command(filepath.Join(dest, "opt/a b/bin/groupcast")).Output()
	if err != nil || string(said) != "built\n" {
		t.Errorf("what was installed says %q, %v", said, err)
	}
}

// TestReadmeLinks: what README, CONTRIBUTING.md and OPERATING.md point to in this tree is there,
// and so are the headings that they point to in themselves.
func TestReadmeLinks(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`(?:\]\(|srcset="|src=")([^)"#]*)(?:#([a-z0-9-]+))?[)"]`)
	heading := regexp.MustCompile(`(?m)^##+ (.*)$`)
	for _, name := range []string{"README.md", "CONTRIBUTING.md", "server/OPERATING.md"} {
		path := filepath.Join("../../..", name)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		headings := map[string]bool{}
		for _, m := range heading.FindAllStringSubmatch(string(text), -1) {
			slug := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(m[1]), "")
			headings[strings.ReplaceAll(slug, " ", "-")] = true
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			to, anchor := m[1], m[2]
			switch {
			case strings.Contains(to, "://"):
			case to == "":
				if !headings[anchor] {
					t.Errorf("%s has no heading #%s", name, anchor)
				}
			default:
				if _, err := os.Stat(filepath.Join(filepath.Dir(path), to)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
}

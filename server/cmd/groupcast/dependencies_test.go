package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// SECURITY.md names each module of go.mod where it belongs, what is linked into the program
// beside them, and nothing that is not.
func TestSecurityNamesDependencies(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	has := modulesIn(t, string(text), "| module | for | brings |")
	onlyTests := modulesIn(t, string(text), "| module | for |\n")[0]
	direct, linked := required(t), linkedModules(t)
	var ofProgram, ofTests, brought []string
	for _, module := range direct {
		if slices.Contains(linked, module) {
			ofProgram = append(ofProgram, module)
		} else {
			ofTests = append(ofTests, module)
		}
	}
	for _, module := range linked {
		if !slices.Contains(direct, module) {
			brought = append(brought, module)
		}
	}
	for _, c := range []struct {
		what      string
		got, want []string
	}{
		{"modules of the program", has[0], ofProgram},
		{"modules that these bring", has[2], brought},
		{"modules of tests alone", onlyTests, ofTests},
	} {
		slices.Sort(c.got)
		slices.Sort(c.want)
		for _, module := range c.want {
			if !slices.Contains(c.got, module) {
				t.Errorf("%s: %s is missing", c.what, module)
			}
		}
		for i, module := range c.got {
			if !slices.Contains(c.want, module) {
				t.Errorf("%s: %s is none", c.what, module)
			}
			if i > 0 && c.got[i-1] == module {
				t.Errorf("%s: %s is there twice", c.what, module)
			}
		}
	}
}

// modulesIn are those in each column of the table with that head.
func modulesIn(t *testing.T, text, head string) (columns [3][]string) {
	t.Helper()
	_, table, ok := strings.Cut(text, head)
	if !ok {
		t.Fatalf("no table %s", head)
	}
	table, _, _ = strings.Cut(strings.TrimPrefix(table, "\n"), "\n\n")
	for _, row := range strings.Split(strings.TrimSpace(table), "\n")[1:] {
		for i, cell := range strings.Split(strings.Trim(row, "|"), "|") {
			for module := range strings.SplitSeq(cell, ",") {
				if module = strings.TrimSpace(module); module != "" {
					columns[i] = append(columns[i], module)
				}
			}
		}
	}
	return columns
}

// required are the modules that go.mod names directly.
func required(t *testing.T) (modules []string) {
	t.Helper()
	// The test cache knows of files that the test itself has looked at.
	if _, err := os.ReadFile("../../../go.mod"); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "mod", "edit", "-json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(out, &file); err != nil {
		t.Fatal(err)
	}
	for _, one := range file.Require {
		if !one.Indirect {
			modules = append(modules, one.Path)
		}
	}
	return modules
}

// linkedModules are those with a package in the program, on one of the systems that it is built
// for.
func linkedModules(t *testing.T) (modules []string) {
	t.Helper()
	for _, system := range []string{"linux/amd64", "linux/arm64", "darwin/arm64"} {
		list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".")
		goos, goarch, _ := strings.Cut(system, "/")
		list.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch)
		out, err := list.Output()
		if err != nil {
			t.Fatal(err)
		}
		modules = append(modules, strings.Fields(string(out))...)
	}
	slices.Sort(modules)
	return slices.DeleteFunc(slices.Compact(modules), func(module string) bool { return module == "groupcast" })
}

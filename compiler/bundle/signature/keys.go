package signature

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
)

// maxKeys bounds a file of public keys, in bytes.
const maxKeys = 1 << 20

// LoadKeys reads public keys: all of a PEM file, or of every file of a folder
// but the hidden ones. One file that cannot be used is a finding, and then no
// key is trusted: a set that somebody broke must not stand as a smaller one.
func LoadKeys(path string) ([]Key, diag.List, error) {
	files, err := keyFiles(path)
	if err != nil {
		return nil, nil, err
	}
	var keys []Key
	var findings diag.List
	for _, file := range files {
		data, err := readKeys(file)
		if err != nil {
			return nil, nil, err
		}
		more, err := ParsePublic(data)
		if err != nil {
			findings.Add(unusable(file, err))
			continue
		}
		for _, k := range more {
			k.Name = file
			if !slices.ContainsFunc(keys, func(o Key) bool { return o.ID == k.ID }) {
				keys = append(keys, k)
			}
		}
	}
	if len(files) == 0 {
		findings.Add(unusable(path, errors.New("the folder holds no key")))
	}
	if len(findings) > 0 {
		return nil, findings, nil
	}
	return keys, nil, nil
}

func unusable(file string, why error) diag.Finding {
	return diag.New("MSH0411", diag.Span{File: file}, "%q cannot be used as a public key: %v", file, why).
		WithEffect("no bundle is taken until this is mended; what was served before stays served").
		WithHelp("write a public key there: `openssl pkey -in KEY -pubout`")
}

// keyFiles are the files of a folder in order, or the file itself. Mounted
// secrets keep their versions in hidden folders and link to them.
func keyFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		file := filepath.Join(path, e.Name())
		if info, err := os.Stat(file); e.Name()[0] == '.' || err == nil && info.IsDir() {
			continue
		}
		files = append(files, file)
	}
	return files, nil
}

func readKeys(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKeys+1))
	if err == nil && len(data) > maxKeys {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxKeys)
	}
	return data, err
}

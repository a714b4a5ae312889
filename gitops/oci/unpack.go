package oci

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Limits of what is unpacked. A bundle of 10,000 services stays under a tenth of
// maxUnpacked, and has some ten files.
const (
	maxUnpacked = 512 << 20 // bytes of all files
	maxEntries  = 256
)

// unpack takes an archive apart, in memory. It takes regular files with names
// below the folder, each once, all within limit bytes and most entries, and passes
// over folders; all else is a fault. Whatever sizes the archive claims, memory grows
// only with what it really holds.
func unpack(archive []byte, limit int64, most int) (map[string][]byte, error) {
	zip, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, fmt.Errorf("it is not compressed by gzip: %w", err)
	}
	files := map[string][]byte{}
	left := limit
	in := tar.NewReader(io.LimitReader(zip, limit+1<<20)) // headers count too
	for entries := 0; ; entries++ {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("it is no whole tar archive: %w", err)
		}
		if entries == most {
			return nil, fmt.Errorf("it holds more than %d entries", most)
		}
		if header.Typeflag == tar.TypeDir {
			continue
		}
		name, err := entryName(header)
		if err != nil {
			return nil, err
		}
		if _, twice := files[name]; twice {
			return nil, fmt.Errorf("it holds %q twice", name)
		}
		if header.Size > left {
			return nil, fmt.Errorf("its files take more than %d bytes", limit)
		}
		var content bytes.Buffer
		n, err := io.Copy(&content, in)
		if err != nil {
			return nil, fmt.Errorf("%q is cut short: %w", name, err)
		}
		left -= n
		files[name] = content.Bytes()
	}
}

// entryName is the path of a file in the folder.
func entryName(header *tar.Header) (string, error) {
	if header.Typeflag != tar.TypeReg {
		return "", fmt.Errorf("%q is no regular file but of type %q", header.Name, header.Typeflag)
	}
	for record := range header.PAXRecords {
		if strings.HasPrefix(record, "GNU.sparse.") { // a few bytes that stand for many
			return "", fmt.Errorf("%q is a sparse file", header.Name)
		}
	}
	name := strings.TrimPrefix(header.Name, "./")
	if name == "" || name == "." || path.IsAbs(name) || path.Clean(name) != name || name == ".." || strings.HasPrefix(name, "../") || strings.ContainsAny(name, "\\\x00") {
		return "", fmt.Errorf("%q is no name of a file in the folder", header.Name)
	}
	return name, nil
}

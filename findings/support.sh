# What the findings share: a folder that is removed in the end, packages in it, and a GPU in software.

in_temporary_folder() {
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  cd "$folder"
  echo '{ "private": true, "type": "module" }' > package.json
}

npm_install() {
  npm install --no-audit --no-fund --loglevel=error "$@"
  echo "node $(node --version), $*"
}

# SwiftShader, and the shared libraries that it needs, lie in @sparticuz/chromium as brotli files.
use_swiftshader() {
  for name in al2023 swiftshader; do
    node -e "process.stdout.write(require('node:zlib').brotliDecompressSync(require('node:fs').readFileSync('node_modules/@sparticuz/chromium/bin/$name.tar.br')))" --input-type=commonjs | tar -x
  done
  export LD_LIBRARY_PATH="$PWD:$PWD/lib" VK_ICD_FILENAMES="$PWD/vk_swiftshader_icd.json"
}

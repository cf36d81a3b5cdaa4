"""Bazel 4's own Java rules, which its test tools load under these names."""

java_import = native.java_import
java_runtime = native.java_runtime
java_toolchain = native.java_toolchain

/*
 * The part of Node's stable interface (Node-API 8) and of libuv that the binding uses. Declared here, for a Node that was
 * installed without its headers serves as well.
 */
#ifndef ROLLCALL_NODE_ABI_H
#define ROLLCALL_NODE_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct napi_env__ *napi_env;
typedef struct napi_value__ *napi_value;
typedef struct napi_callback_info__ *napi_callback_info;
typedef napi_value (*napi_callback)(napi_env, napi_callback_info);
typedef int napi_status; /* 0 is success */
typedef struct uv_loop_s uv_loop_t;

napi_status napi_throw_error(napi_env, const char *code, const char *message);
napi_status napi_get_named_property(napi_env, napi_value object, const char *name, napi_value *result);
napi_status napi_set_named_property(napi_env, napi_value object, const char *name, napi_value value);
napi_status napi_get_value_int64(napi_env, napi_value, int64_t *result);
napi_status napi_get_value_int32(napi_env, napi_value, int32_t *result);
napi_status napi_get_value_bool(napi_env, napi_value, bool *result);
napi_status napi_get_value_string_utf8(napi_env, napi_value, char *into, size_t size, size_t *length);
napi_status napi_create_int64(napi_env, int64_t, napi_value *result);
napi_status napi_create_object(napi_env, napi_value *result);
napi_status napi_create_array_with_length(napi_env, size_t length, napi_value *result);
napi_status napi_set_element(napi_env, napi_value array, uint32_t index, napi_value value);
napi_status napi_create_string_utf8(napi_env, const char *text, size_t length, napi_value *result);
napi_status napi_create_arraybuffer(napi_env, size_t length, void **bytes, napi_value *result);
napi_status napi_create_external_arraybuffer(napi_env, void *bytes, size_t length, void *finalize, void *hint, napi_value *result);
napi_status napi_create_function(napi_env, const char *name, size_t length, napi_callback, void *data, napi_value *result);
napi_status napi_get_cb_info(napi_env, napi_callback_info, size_t *count, napi_value *arguments, napi_value *self, void **data);
napi_status napi_get_boolean(napi_env, bool, napi_value *result);
napi_status napi_get_array_length(napi_env, napi_value array, uint32_t *length);
napi_status napi_get_element(napi_env, napi_value array, uint32_t index, napi_value *result);
napi_status napi_get_null(napi_env, napi_value *result);
napi_status napi_get_uv_event_loop(napi_env, uv_loop_t **loop);

int uv_loop_fork(uv_loop_t *);

/* What Node looks for in a module. */
int32_t node_api_module_get_api_version_v1(void);
napi_value napi_register_module_v1(napi_env env, napi_value exports);

#endif
